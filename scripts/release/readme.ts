/**
 * A chart's README as the archive has it: charts are archives beside it and their images are where the values say; of the
 * files that its links name, the archive has none.
 */
export const readmeOfArchive = (text: string, version: string): string =>
  text
    .replaceAll(/\bcharts\/(agent-worker-pool(?:-crds)?) /g, `$1-${version}.tgz `)
    .replaceAll(/ \\\n +--set image\.repository=REGISTRY\/operator$/gm, '')
    .replaceAll(/\[[^\]]+\]\((?:\.\.\/)+([^)]+)\)/g, '`$1` in the source');

/** The section of one version in CHANGELOG.md, without its heading. Throws when there is none, or nothing in it. */
export function notesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.split(/\s/, 1)[0] === version);
  const notes = section?.split('\n').slice(1).join('\n').trim();
  if (notes === undefined || notes === '') {
    throw new Error(`CHANGELOG.md says nothing of ${version}: write what changes for those who use it`);
  }
  return notes;
}

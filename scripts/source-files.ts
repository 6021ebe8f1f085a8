import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A text file of the repository; `path` is relative to its root, with forward slashes. */
export type SourceFile = Readonly<{ path: string; text: string }>;

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage', '.git']);
const TEXT =
  /(?:\.(?:ts|mjs|cjs|js|json|jsonc|ya?ml|md|sh|toml|mod|sum|go|html|css|tpl|txt)|(?:^|\/)\.?[A-Za-z-]+|\.ci\/[^/]+)$/;

/** Every text file below `root`, sorted by path, without what is installed or built. */
export function readSourceFiles(root: string): SourceFile[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => !SKIPPED_FOLDERS.has(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? below(root, entry.name) : entry.isFile() ? [entry.name] : []))
    .filter((path) => TEXT.test(path))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function below(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !SKIPPED_FOLDERS.has(entry.name))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? below(root, path) : entry.isFile() ? [path] : [];
    });
}

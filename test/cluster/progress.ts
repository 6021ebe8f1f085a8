/** Takes one line for a person who waits. */
export type Progress = (line: string) => void;

export const silent: Progress = () => {};

/** Writes to standard error, with the seconds since the first line in front. */
export const onStderr = (): Progress => {
  const start = performance.now();
  return (line) => {
    process.stderr.write(`${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  };
};

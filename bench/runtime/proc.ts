import { readFileSync } from 'node:fs';

const status = (pid: number, field: string): number => {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1] ?? Number.NaN) / 1024;
};

/** Resident memory of a process, in MiB: now, and the most that it ever had. */
export const rssMb = (pid: number): number => status(pid, 'VmRSS');
export const peakRssMb = (pid: number): number => status(pid, 'VmHWM');

const TICKS_PER_SECOND = 100;

/** Processor time that a process has used, all of its threads, in ms (man 5 proc: utime and stime). */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000;
}

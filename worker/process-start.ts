/** When this process was started by the system, in milliseconds since the epoch. Another value means another process. */
export const PROCESS_START_MS = Math.round(Date.now() - process.uptime() * 1000);

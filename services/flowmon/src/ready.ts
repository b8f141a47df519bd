/** What a parent with a channel to this process is told once it measures, whatever the log level. */
export const READY = "ready";

/** Tells the parent, if it wants to know. */
export function sayReady(): void {
  // A parent that has gone meanwhile need not be told.
  if (process.connected) process.send?.(READY, undefined, undefined, () => {});
}

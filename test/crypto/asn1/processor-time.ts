/**
 * Starts counting the processor time of this process; the answer gives the milliseconds so far. A bound on it holds on a
 * busy machine too.
 */
export function processorTime(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}

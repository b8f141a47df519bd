/** This process's environment with the system's sbin folders in PATH (ip, nft, ethtool) and `extra` laid over it. */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const path = (process.env["PATH"] ?? "").split(":");
  for (const folder of ["/usr/local/sbin", "/usr/sbin", "/sbin"]) if (!path.includes(folder)) path.push(folder);
  return { ...process.env, PATH: path.join(":"), ...extra };
}

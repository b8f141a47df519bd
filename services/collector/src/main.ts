export async function run(_argv: readonly string[], _env: NodeJS.ProcessEnv): Promise<number> {
  return 2;
}

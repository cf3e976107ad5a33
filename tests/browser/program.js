// The real program on a folder of its own, on free ports.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Starts `quickserve up` with these further variables, and waits until it is ready. */
export async function start(variables = {}) {
  const folder = await mkdtemp(join(tmpdir(), "quickserve-"));
  const inherited = Object.entries(process.env).filter(([name]) => !/^(QS|OTEL)_/.test(name));
  const env = {
    ...Object.fromEntries(inherited),
    QS_DATA_DIR: folder,
    QS_LISTEN: "127.0.0.1:0",
    QS_GRPC_LISTEN: "127.0.0.1:0",
    QS_LOG: "warn",
    ...variables,
  };
  const child = spawn(process.env.QS_TEST_PROGRAM, ["up"], { env, stdio: ["ignore", "pipe", "inherit"] });
  process.once("exit", () => child.kill());
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const program = { url: undefined, grpc: {}, stop };
  for await (const line of createInterface(child.stdout)) {
    program.url ??= line.match(/ready at (\S+)/)?.[1];
    const service = line.match(/^ {2}gRPC +(\S+) +(\S+)/);
    if (service) program.grpc[service[2]] = service[1];
    if (line.startsWith("  data ")) return program;
  }
  await stop();
  throw new Error("the program did not start");
}

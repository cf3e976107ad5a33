// A page of another origin calls through the edge with the public gRPC-Web client.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { launch, open } from "./browser.js";
import { start } from "./program.js";

const USERS = "quickserve.user.v1.UserService";
const SESSIONS = "quickserve.user.v1.AuthService";
const INBOX = "quickserve.notification.v1.NotificationService";
const PERSON = { name: "Ada", email: "ada@example.org", role: "customer", password: "correct horse battery" };
const UNAUTHENTICATED = 16;

let program;
let browser;
let site;
let opened;

/** What the program's reflection tells of these services. */
async function contracts(services) {
  const folder = await mkdtemp(join(tmpdir(), "quickserve-"));
  const sets = [];
  for (const [address, service] of services) {
    const file = join(folder, "set");
    const command = ["-plaintext", "-protoset-out", file, address, "describe", service];
    execFileSync(process.env.QS_TEST_GRPCURL ?? "grpcurl", command, { stdio: "pipe" });
    sets.push(await readFile(file));
    await rm(file);
  }
  await rm(folder, { recursive: true });
  // Messages of one type, one after the other, are one message with the fields of all.
  return Buffer.concat(sets);
}

/** A web site with one page, on a port and so of an origin of its own. */
async function serve() {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL("page.js", import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
  });
  const files = {
    "/": ["text/html", '<!doctype html><link rel="icon" href="data:,"><script src="/page.js"></script>'],
    "/page.js": ["text/javascript", bundle.outputFiles[0].contents],
  };
  const server = createServer((request, response) => {
    const [type, content] = files[request.url] ?? ["text/plain", ""];
    response.writeHead(files[request.url] ? 200 : 404, { "content-type": type }).end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, files, origin: `http://127.0.0.1:${server.address().port}` };
}

before(async () => {
  [site, browser] = await Promise.all([serve(), launch()]);
  program = await start({ QS_EDGE__CORS_ORIGINS: `["${site.origin}"]` });
  const services = [
    [program.grpc.user, USERS],
    [program.grpc.user, SESSIONS],
    [program.grpc.notification, INBOX],
  ];
  site.files["/contracts"] = ["application/octet-stream", await contracts(services)];
  opened = await open(browser);
  await opened.page.goto(site.origin);
});

after(async () => {
  await browser?.close();
  await program?.stop();
  site?.server.close();
});

const call = (path, request, more) =>
  opened.page.evaluate((it) => window.call(it), { edge: program.url, format: "binary", path, request, ...more });

test("a unary call is answered, in both forms of gRPC-Web", async () => {
  const { answer, failed } = await call(`${USERS}/CreateUser`, PERSON);
  assert.equal(failed, undefined);
  assert.equal(answer.user.email, PERSON.email);
  const { email, password } = PERSON;
  for (const format of ["binary", "text"]) {
    const session = await call(`${SESSIONS}/Login`, { email, password }, { format });
    const metadata = { authorization: `Bearer ${session.answer.accessToken}` };
    const me = await call(`${USERS}/GetMe`, {}, { format, metadata });
    assert.equal(me.answer.user.id, answer.user.id);
  }
});

test("a failure comes with its status, its words and its details", async () => {
  const { failed } = await call(`${SESSIONS}/Login`, { email: PERSON.email, password: "not this one" });
  assert.equal(failed.code, UNAUTHENTICATED);
  assert.match(failed.message, /\w/);
  assert.equal(failed.reason, "CREDENTIALS_INVALID");
});

test("a stream brings messages while it is open", async () => {
  const { email, password } = PERSON;
  const { answer } = await call(`${SESSIONS}/Login`, { email, password });
  const metadata = { authorization: `Bearer ${answer.accessToken}` };
  const watch = { edge: program.url, format: "text", path: `${INBOX}/WatchInbox`, request: {}, metadata, count: 1 };
  const watched = await opened.page.evaluate((it) => window.watch(it), watch);
  assert.equal(watched.failed, undefined);
  assert.equal(watched.messages.length, 1);
  assert.match(watched.messages[0].message.subject, /\w/);
});

test("a stream that is refused says so", async () => {
  const watch = { edge: program.url, format: "text", path: `${INBOX}/WatchInbox`, request: {}, metadata: {}, count: 1 };
  const watched = await opened.page.evaluate((it) => window.watch(it), watch);
  assert.deepEqual(watched.messages, []);
  assert.equal(watched.failed.code, UNAUTHENTICATED);
});

test("the page called across origins, and nobody else", async () => {
  assert.notEqual(site.origin, program.url);
  const origins = new Set(opened.requests.filter((url) => !url.startsWith("data:")).map((url) => new URL(url).origin));
  assert.deepEqual([...origins].sort(), [site.origin, program.url].sort());
  assert.deepEqual(opened.complaints, []);
});

test("a page whose origin is not allowed gets no answer", async () => {
  const stranger = await serve();
  stranger.files["/contracts"] = site.files["/contracts"];
  const { page, close } = await open(browser);
  await page.goto(stranger.origin);
  const path = `${SESSIONS}/Login`;
  const request = { email: PERSON.email, password: PERSON.password };
  const { answer, failed } = await page.evaluate(
    (it) => window.call(it),
    { edge: program.url, format: "binary", path, request },
  );
  assert.equal(answer, undefined);
  assert.notEqual(failed.code, 0);
  await close();
  stranger.server.close();
});

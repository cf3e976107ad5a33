// A real Chromium without a window, which can reach nothing but this machine.
import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

/** Starts it, with nothing kept from any time before. */
export function launch() {
  const executablePath = process.env.QS_TEST_CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  const args = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ];
  return chromium.launch({ executablePath, args });
}

/**
 * A page, with what it asked for and what it complained about: each request's address, and what the console or a script
 * said of errors, breaches of the page's policy among them.
 */
export async function open(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1600 } });
  const page = await context.newPage();
  const requests = [];
  const complaints = [];
  context.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, requests, complaints, close: () => context.close() };
}

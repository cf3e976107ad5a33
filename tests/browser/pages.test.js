// What people see: the page at the root, and the documentation, which is tried out as a person would.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.js";
import { start } from "./program.js";

const VERBS = ["get", "put", "post", "delete", "patch"];
let program;
let browser;
/** Every operation of the document as `GET /v1/me`. */
let documented;

before(async () => {
  [program, browser] = await Promise.all([start(), launch()]);
  const document = await (await fetch(`${program.url}/openapi.json`)).json();
  documented = Object.entries(document.paths)
    .flatMap(([path, item]) => VERBS.filter((verb) => item[verb]).map((verb) => `${verb.toUpperCase()} ${path}`))
    .sort();
  assert.ok(documented.length > 100);
});

after(async () => {
  await browser?.close();
  await program?.stop();
});

/** Opens a page of the program, hands it to `use`, and says that it asked nobody else and complained of nothing. */
async function visit(path, use) {
  const { page, requests, complaints, close } = await open(browser);
  try {
    await page.goto(program.url + path);
    await use(page);
    assert.deepEqual(complaints, []);
    assert.ok(requests.length > 0);
    const elsewhere = requests.filter((url) => !url.startsWith("data:") && !url.startsWith(`blob:${program.url}/`));
    for (const url of elsewhere) assert.equal(new URL(url).origin, program.url);
  } finally {
    await close();
  }
}

test("the page at the root leads to what it names", async () => {
  await visit("/", async (page) => {
    assert.match(await page.textContent("h1"), /QuickServe/);
    const links = await page.$$eval("a", (all) => all.map((link) => link.href));
    assert.ok(links.length >= 6);
    for (const link of links) {
      assert.equal(new URL(link).origin, program.url);
      const answer = await fetch(link);
      assert.equal(answer.status, 200, link);
      assert.ok((await answer.text()).length > 0);
    }
    await page.click('a[href="/docs"]');
    await page.waitForSelector(".swagger-ui .opblock");
  });
});

/** In the page to try: opens every `of`th operation from the `first` on, one by one, until all of it is there. */
async function unfold({ first, of }) {
  const wait = async (condition) => {
    for (const end = Date.now() + 60_000; !condition(); ) {
      if (Date.now() > end) throw new Error(`${condition} does not come true`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const shown = [];
  for (const [index, block] of document.querySelectorAll(".opblock").entries()) {
    if (index % of !== first) continue;
    const verb = block.querySelector(".opblock-summary-method").textContent;
    shown.push(`${verb} ${block.querySelector(".opblock-summary-path").dataset.path}`);
    const switchIt = () => block.querySelector(".opblock-summary-control").click();
    switchIt();
    await wait(() => block.querySelector(".responses-table .response"));
    // Open ones are drawn anew whenever another one opens.
    switchIt();
    await wait(() => !block.querySelector(".opblock-body"));
  }
  return { shown, errors: document.querySelectorAll(".errors-wrapper").length };
}

test("the page to try shows every operation, whole", async () => {
  // It takes a second of a processor for each operation, and there are as good as always two.
  const halves = [0, 1].map(async (first) => {
    let half;
    await visit("/docs", async (page) => {
      await page.waitForSelector(".opblock");
      half = await page.evaluate(unfold, { first, of: 2 });
    });
    assert.equal(half.errors, 0);
    return half.shown;
  });
  assert.deepEqual((await Promise.all(halves)).flat().sort(), documented);
});

test("the page to read shows every operation", async () => {
  await visit("/redoc", async (page) => {
    // Each has its method and path in a button, and the ways in which it can be answered.
    const shown = () =>
      page.$$eval('div[data-section-id^="operation/"]', (all) =>
        all
          .filter((section) => [...section.querySelectorAll("h3")].some((title) => title.textContent === "Responses"))
          .map((section) => section.querySelector(".http-verb"))
          .map((verb) => `${verb.textContent.toUpperCase()} ${verb.nextElementSibling.textContent}`),
      );
    for (let tries = 0; tries < 3000 && (await shown()).length < documented.length; tries++) await page.waitForTimeout(100);
    assert.deepEqual((await shown()).sort(), documented);
  });
});

/** Fills in an operation of the page to try, sends it, and returns status and content of the answer. */
async function tryOut(page, id, body) {
  const block = await page.waitForSelector(`.opblock[id$="-${id}"]`);
  await (await block.$(".opblock-summary-control")).click();
  if (body) {
    const field = await block.waitForSelector("textarea.body-param__text");
    await field.fill(JSON.stringify(body));
  }
  await (await block.waitForSelector(".btn.execute")).click();
  const live = await block.waitForSelector(".live-responses-table .response");
  const status = await (await live.$(".response-col_status")).textContent();
  const content = await (await live.waitForSelector(".highlight-code, .microlight")).textContent();
  return { status: parseInt(status, 10), content: JSON.parse(content.slice(content.indexOf("{"))) };
}

test("the page to try registers a person, signs them in and shows them to themselves", async () => {
  await visit("/docs", async (page) => {
    const person = { name: "Ada", email: "ada@example.org", role: "customer", password: "correct horse battery" };
    const registered = await tryOut(page, "CreateUser", person);
    assert.equal(registered.status, 201);
    assert.equal(registered.content.email, person.email);

    const { email, password } = person;
    const session = await tryOut(page, "Login", { email, password });
    assert.equal(session.status, 200);
    assert.equal(session.content.token_type, "bearer");

    await page.click(".btn.authorize");
    const form = await page.waitForSelector('.auth-container:has(input[aria-label="auth-bearer-value"])');
    await (await form.$("input")).fill(session.content.access_token);
    await (await form.$("button.authorize")).click();
    await page.click(".btn.modal-btn.auth.btn-done");
    const me = await tryOut(page, "GetMe");
    assert.equal(me.status, 200);
    assert.equal(me.content.id, registered.content.id);
  });
});

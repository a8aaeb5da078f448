/** What a hostile page knows: where the daemon listens, and (more than it would) the id of a lane. */
export interface AttackTarget {
  readonly target: string;
  readonly lane: string;
}

/** One thing that a page of another origin can try. */
export interface Attack {
  readonly name: string;
  /** An expression whose value (or that of its promise) is all that the attacker got to read. */
  readonly script: (at: AttackTarget) => string;
  /** How long its effects may take beyond the script. */
  readonly waitMs?: number;
  /** Evaluated after that: what can be read then. */
  readonly readsBack?: string;
  /** One of those that stand for the rest in a short run. */
  readonly isMain?: true;
}

const BODY = JSON.stringify({ kind: "command", argv: ["touch", "/workspace/attacked"] });
const show = "async (r) => r.type + ' ' + r.status + ' ' + (await r.text())";

function request(name: string, path: string, init: string): Attack {
  return {
    name,
    script: ({ target, lane }) =>
      `fetch(${JSON.stringify(target + path.replace("LANE", lane))}, ${init}).then(${show}).catch(String)`,
  };
}

/** A form with one field that is sent into a frame of the attacker's page. */
function form(name: string, attributes: object, [field, value]: readonly [string, string]): Attack {
  return {
    name,
    script: ({ target, lane }) => `(() => {
      document.body.innerHTML = "<iframe name=f></iframe><form target=f><input></form>";
      const form = document.forms[0];
      Object.assign(form, ${JSON.stringify(attributes)}, { action: ${JSON.stringify(`${target}/v1/lanes/${lane}/jobs`)} });
      Object.assign(form.firstChild, { name: ${JSON.stringify(field)}, value: ${JSON.stringify(value)} });
      form.submit();
      return "sent";
    })()`,
    waitMs: 250,
    readsBack:
      "(() => { try { return frames[0].document.documentElement.outerHTML } catch (error) { return String(error) } })()",
  };
}

/** An element that loads an address by itself. */
function element(name: string, tag: string, attribute: string, path: string): Attack {
  return {
    name,
    script: ({ target, lane }) => `new Promise((resolve) => {
      const one = document.createElement("${tag}");
      const say = (how) => resolve([how, one.naturalWidth, one.sheet, one.contentDocument && one.contentDocument.body && one.contentDocument.body.innerHTML, window.leaked].join(" "));
      one.onload = () => say("loaded");
      one.onerror = () => say("error");
      setTimeout(() => say("silence"), 400);
      one.rel = "stylesheet";
      one.${attribute} = ${JSON.stringify(target)} + "${path}".replace("LANE", ${JSON.stringify(lane)});
      document.body.append(one);
    })`,
  };
}

function socket(name: string, protocols: string): Attack {
  return {
    name,
    script: ({ target }) => `new Promise((resolve) => {
      const got = [];
      const one = new WebSocket(${JSON.stringify(target.replace("http", "ws"))} + "/v1/terminal", ${protocols});
      one.onopen = () => { got.push("open"); one.send("id\\n"); };
      one.onmessage = (event) => got.push(event.data);
      one.onclose = (event) => resolve(got + " closed " + event.code);
    })`,
  };
}

/** A window of the attacker's that leads to the page; what of it can be read, and steered. */
function popup(name: string, path: string): Attack {
  return {
    name,
    script: ({ target, lane }) => `(async () => {
      const other = open(${JSON.stringify(target)} + "${path}".replace("LANE", ${JSON.stringify(lane)}));
      await new Promise((resolve) => setTimeout(resolve, 700));
      const read = (what) => { try { return String(what()) } catch (error) { return error.name } };
      const got = [read(() => other.closed), read(() => other.document.body.innerText), read(() => other.sessionStorage.length), read(() => other.length)];
      try { other.postMessage("ask", "*") } catch {}
      return got.join(" ");
    })()`,
  };
}

const key = "lanekeeper-token";

const SHAPES: readonly Attack[] = [
  request("fetch GET", "/v1/lanes", "{}"),
  request("fetch GET no-cors", "/v1/lanes", '{ mode: "no-cors" }'),
  request("fetch GET with credentials", "/v1/lanes", '{ credentials: "include" }'),
  request("fetch GET of the document", "/", "{}"),
  request("fetch GET of the events", "/v1/events", "{}"),
  request("fetch GET of a screen", "/lanes/LANE", '{ mode: "no-cors" }'),
  request(
    "fetch POST no-cors text",
    "/v1/lanes/LANE/jobs",
    `{ method: "POST", mode: "no-cors", body: ${JSON.stringify(BODY)} }`,
  ),
  request(
    "fetch POST no-cors form",
    "/v1/lanes/LANE/jobs",
    '{ method: "POST", mode: "no-cors", body: new URLSearchParams({ kind: "command" }) }',
  ),
  request(
    "fetch POST json",
    "/v1/lanes/LANE/jobs",
    `{ method: "POST", headers: { "content-type": "application/json", "x-try": "1" }, body: ${JSON.stringify(BODY)} }`,
  ),
  request(
    "fetch POST guessed token",
    "/v1/lanes/LANE/stop",
    `{ method: "POST", headers: { authorization: "Bearer ${"0".repeat(64)}" } }`,
  ),
  request("fetch POST bodyless", "/v1/lanes/LANE/stop", '{ method: "POST", mode: "no-cors" }'),
  request("fetch DELETE", "/v1/lanes/LANE?force=1", '{ method: "DELETE" }'),
  request("fetch PATCH", "/v1/lanes/LANE", '{ method: "PATCH", body: "{}" }'),
  request("fetch shutdown", "/v1/shutdown", '{ method: "POST", mode: "no-cors" }'),
  request("fetch login code", "/v1/login-codes", '{ method: "POST", mode: "no-cors" }'),
  request(
    "fetch login, guessed",
    "/v1/login",
    `{ method: "POST", mode: "no-cors", body: JSON.stringify({ code: "${"0".repeat(32)}" }) }`,
  ),
  request(
    "fetch terminal ticket",
    "/v1/lanes/LANE/terminal",
    `{ method: "POST", mode: "no-cors", body: '{"cols":80,"rows":24}' }`,
  ),
  form("form POST", { method: "post" }, ["kind", "command"]),
  form("form POST text/plain as json", { method: "post", enctype: "text/plain" }, [
    '{"kind":"command","argv":["touch","attacked"],"key":"',
    '"}',
  ]),
  form("form POST multipart", { method: "post", enctype: "multipart/form-data" }, ["kind", "command"]),
  form("form GET", {}, ["limit", "1"]),
  element("img GET", "img", "src", "/v1/lanes"),
  element("script GET", "script", "src", "/v1/lanes"),
  element("script of the login", "script", "src", "/v1/login"),
  element("style GET", "link", "href", "/v1/lanes"),
  element("frame of the page", "iframe", "src", "/"),
  element("frame of the API", "iframe", "src", "/v1/lanes"),
  element("object", "object", "data", "/lanes/LANE"),
  popup("window of the page", "/"),
  popup("window of a terminal", "/lanes/LANE/terminal"),
  popup("window with a code", "/#code=0"),
  {
    name: "beacon POST",
    script: ({ target, lane }) =>
      `String(navigator.sendBeacon(${JSON.stringify(`${target}/v1/lanes/${lane}/jobs`)}, ${JSON.stringify(BODY)}))`,
    waitMs: 150,
  },
  {
    name: "event source",
    script: ({ target }) => `new Promise((resolve) => {
      const one = new EventSource(${JSON.stringify(`${target}/v1/events`)});
      one.onmessage = (event) => resolve(event.data);
      one.onerror = () => { one.close(); resolve("error"); };
    })`,
  },
  socket("websocket", "[]"),
  socket("websocket, guessed ticket", `["lanekeeper-terminal-1", "${"0".repeat(32)}"]`),
  {
    name: "ask other tabs for the token",
    script: () => `new Promise((resolve) => {
      const one = new BroadcastChannel("${key}");
      one.onmessage = (event) => resolve(JSON.stringify(event.data));
      one.postMessage("ask");
      setTimeout(() => resolve("silence " + sessionStorage.getItem("${key}") + localStorage.length + document.cookie), 400);
    })`,
  },
];

const MAIN = ["fetch GET", "fetch POST no-cors text", "fetch POST json", "form POST", "frame of the page", "websocket"];

/** All shapes. */
export const ATTACKS: readonly Attack[] = SHAPES.map((attack) =>
  MAIN.includes(attack.name) ? { ...attack, isMain: true } : attack,
);

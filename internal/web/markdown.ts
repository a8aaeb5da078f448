import { lexer, type Token, type Tokens } from "marked";
import { type ComponentChildren, h, type JSX } from "preact";

/** Longest text that is rendered; the rest is left out, and said. */
export const MARKDOWN_MAX = 64 * 1024;
/** Elements of one text, so that ten thousand stars do not become ten thousand nodes. */
const NODES_MAX = 5000;
const DEPTH_MAX = 20;

/**
 * Markdown as nodes, never as HTML: markup in it stays text, there are no images (their alternative text is a link), and
 * links go to http and https only. Takes any text; what it cannot make sense of is shown as it is.
 */
export function renderMarkdown(text: string): JSX.Element {
  const cut = text.length > MARKDOWN_MAX;
  const source = cut ? text.slice(0, MARKDOWN_MAX) : text;
  const budget = { nodes: NODES_MAX };
  let children: ComponentChildren;
  try {
    children = blocks(lexer(source, { gfm: true, breaks: true }), { budget, depth: 0 });
  } catch {
    // The parser runs out of stack on some nestings: the text itself is always there to be read.
    children = h("pre", null, source);
  }
  return h(
    "div",
    { class: "markdown" },
    children,
    cut || budget.nodes <= 0 ? h("p", { class: "quiet" }, "The rest is not shown.") : null,
  );
}

/** The address, if a link may lead there: absolute, http or https, without a user's name in it. */
export function safeHref(href: string): string | null {
  try {
    const url = new URL(href);
    return (url.protocol === "http:" || url.protocol === "https:") && url.username === "" && url.password === ""
      ? url.href
      : null;
  } catch {
    return null;
  }
}

interface Context {
  readonly budget: { nodes: number };
  readonly depth: number;
}

function blocks(tokens: readonly Token[] | undefined, context: Context): ComponentChildren {
  return tokens?.map((token) => block(token, context));
}

function block(token: Token, context: Context): ComponentChildren {
  if (context.budget.nodes-- <= 0) return null;
  if (context.depth > DEPTH_MAX) return token.raw;
  const inside = { ...context, depth: context.depth + 1 };
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      // Below the page's own headings.
      return h(`h${Math.min(6, (token as Tokens.Heading).depth + 2)}`, null, inline(token, inside));
    case "code":
      return h("pre", { tabIndex: 0 }, h("code", null, (token as Tokens.Code).text));
    case "blockquote":
      return h("blockquote", null, blocks((token as Tokens.Blockquote).tokens, inside));
    case "list":
      return list(token as Tokens.List, inside);
    case "table":
      return table(token as Tokens.Table, inside);
    case "hr":
      return h("hr", null);
    case "checkbox":
      return (token as Tokens.Checkbox).checked ? "☑ " : "☐ ";
    case "paragraph":
      return h("p", null, inline(token, inside));
    case "text":
      return "tokens" in token && token.tokens ? inline(token, inside) : plainText(token);
    default:
      return h("p", null, token.raw);
  }
}

function list(token: Tokens.List, context: Context): JSX.Element {
  const items = token.items.map((item) => h("li", null, blocks(item.tokens, context)));
  return token.ordered ? h("ol", { start: Number(token.start) || 1 }, items) : h("ul", null, items);
}

function table(token: Tokens.Table, context: Context): JSX.Element {
  const row = (cells: readonly Tokens.TableCell[], tag: "th" | "td") =>
    h(
      "tr",
      null,
      cells.map((cell) => (context.budget.nodes-- > 0 ? h(tag, null, inlines(cell.tokens, context)) : null)),
    );
  return h(
    "div",
    { class: "table-box", tabIndex: 0, role: "region", "aria-label": "Table" },
    h(
      "table",
      null,
      h("thead", null, row(token.header, "th")),
      h(
        "tbody",
        null,
        token.rows.map((cells) => row(cells, "td")),
      ),
    ),
  );
}

function inline(token: Token, context: Context): ComponentChildren {
  return inlines("tokens" in token ? token.tokens : undefined, context);
}

function inlines(tokens: readonly Token[] | undefined, context: Context): ComponentChildren {
  return tokens?.map((token) => span(token, context));
}

function span(token: Token, context: Context): ComponentChildren {
  if (context.budget.nodes-- <= 0) return null;
  if (context.depth > DEPTH_MAX) return token.raw;
  const inside = { ...context, depth: context.depth + 1 };
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return h(token.type, null, inline(token, inside));
    case "codespan":
      return h("code", null, (token as Tokens.Codespan).text);
    case "br":
      return h("br", null);
    case "checkbox":
      return (token as Tokens.Checkbox).checked ? "☑ " : "☐ ";
    case "link":
      return link((token as Tokens.Link).href, inline(token, inside), token.raw);
    case "image":
      return link(
        (token as Tokens.Image).href,
        `image: ${(token as Tokens.Image).text || "without a description"}`,
        token.raw,
      );
    case "text":
    case "escape":
      return "tokens" in token && token.tokens ? inline(token, inside) : plainText(token);
    default:
      return token.raw;
  }
}

function link(href: string, label: ComponentChildren, raw: string): ComponentChildren {
  const safe = safeHref(href);
  if (safe === null) return raw;
  // The whole address is shown on hover and to screen readers: an agent's label may say something else.
  return h("a", { href: safe, target: "_blank", rel: "noopener noreferrer", title: safe }, label);
}

function plainText(token: Token): string {
  return "text" in token && typeof token.text === "string" ? token.text : token.raw;
}

import { isValidElement } from "preact";
import { describe, expect, it } from "vitest";
import { xssCorpus } from "../../test/support/xss-corpus.ts";
import { MARKDOWN_MAX, renderMarkdown, safeHref } from "./markdown.ts";

interface Node {
  readonly type: string;
  readonly props: Readonly<Record<string, unknown>>;
}

/** All elements below a node, itself included. */
function nodesOf(node: unknown): readonly Node[] {
  if (Array.isArray(node)) return node.flatMap(nodesOf);
  if (!isValidElement(node)) return [];
  const props = node.props as Record<string, unknown>;
  return [{ type: String(node.type), props }, ...nodesOf(props.children)];
}

function textOf(node: unknown): string {
  if (Array.isArray(node)) return node.map(textOf).join("");
  if (isValidElement(node)) return textOf((node.props as Record<string, unknown>).children);
  return typeof node === "string" || typeof node === "number" ? String(node) : "";
}

const tags = (text: string) => nodesOf(renderMarkdown(text)).map((node) => node.type);

const SAFE_TAGS = [
  ...[
    "div",
    "p",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "code",
    "blockquote",
    "ul",
    "ol",
    "li",
    "hr",
    "br",
    "strong",
    "em",
    "del",
    "a",
  ],
  ...["table", "thead", "tbody", "tr", "th", "td"],
];
const SAFE_PROPS = ["children", "class", "href", "target", "rel", "title", "start", "tabIndex", "role", "aria-label"];

describe("Markdown of agents", () => {
  it("becomes the elements it stands for", () => {
    expect(tags("# a\n\n- b\n- *c* `d`\n\n```\ne\n```\n\n| f |\n| - |\n| g |")).toEqual(
      expect.arrayContaining(["h3", "ul", "li", "em", "code", "pre", "table", "th", "td"]),
    );
    expect(textOf(renderMarkdown("a **b** ~~c~~\nd"))).toBe("a b cd");
  });

  it.each(xssCorpus({ call: "boom", origin: "http://elsewhere.invalid" }).map((text, at) => [at, text]))(
    "shows hostile text %i as text",
    (_, text) => {
      const nodes = nodesOf(renderMarkdown(String(text)));
      expect(nodes.filter(({ type }) => !SAFE_TAGS.includes(type))).toEqual([]);
      for (const { type, props } of nodes) {
        expect(Object.keys(props).filter((name) => !SAFE_PROPS.includes(name))).toEqual([]);
        if (type !== "a") continue;
        expect(props.href).toMatch(/^https?:\/\//);
        expect(props).toMatchObject({ rel: "noopener noreferrer", target: "_blank" });
      }
    },
  );

  it("keeps markup readable", () => {
    expect(textOf(renderMarkdown("<b>x</b> <script>y</script>"))).toContain("<script>y</script>");
  });

  it("makes links of addresses of the web only", () => {
    const addresses = [
      "https://a.test/x",
      "http://a.test",
      "javascript:x",
      "data:text/html,x",
      "//a.test",
      "/x",
      "ftp://a",
      "http://u:p@a.test",
    ];
    expect(addresses.map(safeHref)).toEqual(["https://a.test/x", "http://a.test/", null, null, null, null, null, null]);
  });

  it("is bounded by length, by number of elements and by depth", () => {
    expect(textOf(renderMarkdown("x".repeat(MARKDOWN_MAX + 10)))).toContain("The rest is not shown");
    expect(nodesOf(renderMarkdown("*a* ".repeat(12_000))).length).toBeLessThan(6000);
    expect(nodesOf(renderMarkdown(">".repeat(4000))).length).toBeLessThan(100);
    expect(textOf(renderMarkdown("[".repeat(3000)))).toContain("[[[");
  }, 20_000);
});

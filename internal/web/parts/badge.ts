/** The page's title and icon with the number of items that wait. */
export function showCount(doc: Document, count: number): void {
  doc.title = count > 0 ? `(${count}) Lanekeeper` : "Lanekeeper";
  const icon = doc.querySelector<HTMLLinkElement>('link[rel="icon"]');
  if (icon) icon.href = `data:image/svg+xml,${encodeURIComponent(drawIcon(count))}`;
}

function drawIcon(count: number): string {
  const lanes =
    '<rect width="32" height="32" rx="7" fill="#2f5d8a"/>' +
    '<path d="M10 7v18M22 7v18M16 8v4m0 3v4m0 3v3" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/>';
  const dot =
    count === 0
      ? ""
      : '<circle cx="23" cy="9" r="9" fill="#b3261e"/>' +
        '<text x="23" y="13" font-family="sans-serif" font-size="11.5" font-weight="700" text-anchor="middle" fill="#fff">' +
        `${count > 99 ? "99" : count}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${lanes}${dot}</svg>`;
}

// SPDX-License-Identifier: Apache-2.0
// Every text that is seen and stands out too little (WCAG 2, below 4.5:1) from what is behind it.
() => {
  const canvas = document.createElement("canvas"); canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  const parse = (text) => { pen.clearRect(0,0,1,1); pen.fillStyle = "#000"; pen.fillStyle = text; pen.fillRect(0,0,1,1);
    const [r,g,b,a] = pen.getImageData(0,0,1,1).data; return [r,g,b,a/255]; };
  const over = (top, under) => { const a = top[3] + under[3]*(1-top[3]);
    return a ? [0,1,2].map(i => (top[i]*top[3] + under[i]*under[3]*(1-top[3]))/a).concat(a) : [0,0,0,0]; };
  const light = (c) => { const [r,g,b] = c.slice(0,3).map(v => { v /= 255; return v <= .04045 ? v/12.92 : ((v+.055)/1.055)**2.4; });
    return .2126*r + .7152*g + .0722*b; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05)/(y + .05); };
  const behind = (at) => { let found = [0,0,0,0];
    const box = at.getBoundingClientRect(), x = (box.left + box.right)/2, y = (box.top + box.bottom)/2;
    for (let e = at; e; e = e.parentElement) {
      const { left, right, top, bottom } = e.getBoundingClientRect();
      if (e !== document.body && e !== document.documentElement && (x < left || x > right || y < top || y > bottom)) continue;
      found = over(found, parse(getComputedStyle(e).backgroundColor)); if (found[3] > .995) break; }
    return over(found, [255,255,255,1]); };
  const faded = (at) => { let o = 1; for (let e = at; e; e = e.parentElement) o *= +getComputedStyle(e).opacity; return o; };
  const seen = (e) => { const b = e.getBoundingClientRect(), s = getComputedStyle(e);
    return b.width > 1 && b.height > 1 && s.visibility === "visible" && s.display !== "none" && e.checkVisibility() && faded(e) > 0; };
  const wrong = new Map();
  const judge = (e, style, text) => {
    const colour = style.color;
    const ground = behind(e), ink = parse(colour); ink[3] *= faded(e) * (style.isHint ? style.opacity : 1);
    const got = ratio(over(ink, ground), ground);
    // An icon is a picture, for which 3:1 will do.
    if (got < (e.closest("[data-testid=stIconMaterial]") ? 3 : 4.5)) { const id = e.closest("[data-testid]")?.dataset.testid;
      const key = `${id} ${e.tagName} ${colour} on ${ground.map(Math.round)} op ${faded(e)}`;
      if (!wrong.has(key)) wrong.set(key, `${got.toFixed(2)} ${key}: ${text.slice(0, 40)}`); } };
  const hint = (e) => { const { color, opacity } = getComputedStyle(e, "::placeholder");
    judge(e, { color, opacity, isHint: true }, "hint " + e.placeholder); };
  const walk = document.createTreeWalker(document.querySelector("[data-testid=stApp]"), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) { const n = walk.currentNode, e = n.parentElement;
    if (n.textContent.trim() && seen(e) && !["SCRIPT","STYLE"].includes(e.tagName) && !e.closest("canvas")) judge(e, getComputedStyle(e), n.textContent.trim()); }
  for (const e of document.querySelectorAll("input[placeholder], textarea[placeholder]"))
    if (seen(e) && e.placeholder && !e.value) hint(e);
  return [...wrong.values()];
}

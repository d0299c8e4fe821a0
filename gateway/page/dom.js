// The few things that everything here draws with. Text goes in as text: names of models and prompts may hold anything.

export const byId = (id) => document.getElementById(id);

/** element("p", {class: "note", title: "…"}, "text", another): strings become text nodes; null and false are left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Writes only what differs, so that a selection or a screen reader is not disturbed every second. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Keeps one child of `parent` per item, in the items' order: made once by its key, then updated. */
export function keepList(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = known.get(key);
    known.delete(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    if (child !== at) parent.insertBefore(child, at);
    else at = at.nextElementSibling;
    update(child, item);
  }
  for (const gone of known.values()) gone.remove();
}

const svg = "http://www.w3.org/2000/svg";

/** Lines over time, each a list of numbers or null; the highest of all fills the height. */
export function sparkline(host, lines) {
  const width = 240, height = 40, count = Math.max(...lines.map((line) => line.values.length));
  const highest = Math.max(1e-12, ...lines.flatMap((line) => line.values.map(Number)));
  const drawn = document.createElementNS(svg, "svg");
  drawn.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawn.setAttribute("preserveAspectRatio", "none");
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", lines.map((line) => line.name).join(" and ") + ", the last five minutes");
  for (const line of lines) {
    if (line.values.length < 2) continue;
    const points = line.values.map((value, i) => {
      const x = width - (line.values.length - 1 - i) * (width / Math.max(count - 1, 1));
      return `${x.toFixed(1)},${(height - 2 - (Number(value) / highest) * (height - 6)).toFixed(1)}`;
    });
    if (line.filled) {
      const area = document.createElementNS(svg, "polygon");
      area.setAttribute("points", `${points[0].split(",")[0]},${height} ${points.join(" ")} ${width},${height}`);
      area.setAttribute("class", `area ${line.style}`);
      drawn.append(area);
    }
    const path = document.createElementNS(svg, "polyline");
    path.setAttribute("points", points.join(" "));
    path.setAttribute("class", `line ${line.style}`);
    drawn.append(path);
  }
  host.replaceChildren(drawn);
}

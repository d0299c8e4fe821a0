// Numbers as people read them. Money comes as exact decimal text; what is shown is rounded, the exact text stands in the tooltip.

const grouped = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0});
const cents = new Intl.NumberFormat("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 2});

/** "$1,234.50", "$0.0312", "$0.000244", "unknown" */
export function usd(text) {
  if (text === null || text === undefined) return "unknown";
  const value = Number(text), size = Math.abs(value), sign = value < 0 ? "−" : "";
  if (size === 0) return "$0";
  if (size >= 1) return `${sign}$${cents.format(size)}`;
  if (size >= 0.01) return `${sign}$${size.toFixed(4)}`;
  if (size < 1e-9) return `${sign}<$0.000000001`;
  const digits = Math.min(12, 2 - Math.floor(Math.log10(size)));
  return `${sign}$${size.toFixed(digits)}`;
}

export const signedUsd = (text) => (Number(text) > 0 ? "+" : "") + usd(text);
export const count = (value) => (value === null || value === undefined ? "unknown" : grouped.format(value));

/** "12.3k" */
export function brief(value) {
  if (value < 10_000) return grouped.format(value);
  if (value < 1_000_000) return `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(value < 100_000_000 ? 1 : 0)}M`;
}

/** 0.345 → "35 %"; small ones keep a digit: "0.4 %" */
export function percent(ratio) {
  if (ratio === null || ratio === undefined) return "unknown";
  const value = ratio * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

export function rate(value) {
  if (value === null || value === undefined) return "…";
  if (value >= 100) return grouped.format(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2).replace(/\.?0+$/, "");
}

export function millis(value) {
  if (value === null || value === undefined) return "–";
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
}

export function span(seconds) {
  const parts = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
  const at = parts.findIndex(([size]) => seconds >= size);
  if (at < 0) return "0 s";
  const [size, unit] = parts[at], next = parts[at + 1];
  const rest = next ? Math.floor((seconds % size) / next[0]) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest && at < 2 ? ` ${rest} ${next[1]}` : ""}`;
}

export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
export const clock = (time) => new Date(time).toLocaleTimeString([], {hour12: false});

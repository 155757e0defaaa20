// Makes elements. Text goes in by textContent alone, so that no story and no name can become markup.

import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties (`class`, `text`, `on`, `data`, or any attribute) and children; null children are left out. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) set(element, key, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function set(element, key, value) {
  if (value === undefined || value === null || value === false) return;
  if (key === "class") element.className = value;
  else if (key === "text") element.textContent = value;
  else if (key === "value") element.value = value;
  else if (key === "on") Object.entries(value).forEach(([type, listener]) => element.addEventListener(type, listener));
  else if (key === "data") Object.assign(element.dataset, value);
  else element.setAttribute(key, value === true ? "" : value);
}

/** A line drawing; it says nothing by itself. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A picture that only decorates. */
export function picture(file, properties = {}) {
  return el("img", { src: `/static/${file}.svg`, alt: "", ...properties });
}

/** A button with an icon and words. */
export function button(words, onClick, { symbol, kind = "plain", ...rest } = {}) {
  return el("button", { type: "button", class: kind === "quiet-link" ? kind : `button ${kind}`, on: { click: onClick }, ...rest },
    symbol ? icon(symbol) : null, el("span", { text: words }));
}

/** Gives a button other words and another icon. */
export function relabel(element, words, symbol) {
  element.querySelector("span").textContent = words;
  element.querySelector("path")?.setAttribute("d", ICONS[symbol]);
}

/** Whether this person asked for less motion. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// The page's one live region. It is given whole sentences, one after another, so that a screen reader drops none.

const KEPT = 8;

export function announce(text) {
  const words = text.trim();
  const region = document.getElementById("announcer");
  if (!words || !region) return;
  const line = document.createElement("p");
  line.textContent = words;
  region.append(line);
  while (region.children.length > KEPT) region.firstElementChild.remove();
}

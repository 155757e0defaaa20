// Runs before the first paint, so that a page set to dark never flashes white. All else waits for main.js.
(function () {
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem("fabula.settings") || "{}");
  } catch {
    // Without storage the page has its defaults.
  }
  const root = document.documentElement;
  root.dataset.light = kept.light || "auto";
  root.dataset.size = kept.size || 3;
  root.dataset.letters = kept.letters || "book";
})();

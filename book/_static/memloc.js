// What scrolls in its own box can be reached and scrolled with the keyboard alone.
function memlocReachable() {
  const boxes = ".cell_output, .pst-scrollable-table-container, .bd-article pre, mjx-container[display], .math";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) {
      box.tabIndex = 0;
    }
  }
}

window.addEventListener("load", () => {
  const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
  ready.then(memlocReachable);
  window.addEventListener("resize", memlocReachable);
});

// What scrolls in its own box can be reached and scrolled with the keyboard alone.
function memlocReachable() {
  const boxes = ".cell_output, .output, .dt-layout-cell, .pst-scrollable-table-container, .bd-article pre";
  for (const box of document.querySelectorAll(`${boxes}, mjx-container[display], .math`)) {
    const tall = getComputedStyle(box).overflowY === "auto" && box.scrollHeight > box.clientHeight;
    const scrolls = tall || box.scrollWidth > box.clientWidth;
    if (scrolls && !box.hasAttribute("tabindex")) {
      box.tabIndex = 0;
      box.dataset.memlocReachable = "";
    } else if (!scrolls && "memlocReachable" in box.dataset) {
      box.removeAttribute("tabindex");
      delete box.dataset.memlocReachable;
    }
  }
}

window.addEventListener("load", () => {
  const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
  ready.then(memlocReachable);
  window.addEventListener("resize", memlocReachable);
});

// Long tables can be sorted and searched. What does that is as heavy as a page, so it is loaded when one is in sight.
const memlocLong = 20;
const memlocVendor = document.currentScript.src.replace(/memloc\.js.*$/, "vendor/itables/tables");

function memlocLoaded() {
  memlocLoaded.once ??= new Promise((resolve) => {
    const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${memlocVendor}.css` });
    const script = Object.assign(document.createElement("script"), { src: `${memlocVendor}.js`, onload: resolve });
    document.head.append(sheet, script);
  });
  return memlocLoaded.once;
}

const memlocSeen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      memlocSeen.unobserve(target);
      const layout = { topStart: null, topEnd: "search", bottomStart: null, bottomEnd: null };
      const settings = { paging: false, info: false, order: [], autoWidth: false, layout };
      memlocLoaded().then(() => {
        new window.memlocTable(target, settings);
        memlocReachable();
      });
    }
  }
});

window.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.memloc-table")) {
    if (table.tBodies[0]?.rows.length >= memlocLong) {
      memlocSeen.observe(table);
    }
  }
});

// Draws the page's charts, in dark colours where the reader's system asks for them.
(() => {
  "use strict";
  const { items, dark } = JSON.parse(document.getElementById("drawings").textContent);
  const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");
  Bokeh.set_log_level("warn");
  let views = [], rounds = 0;

  async function draw() {
    for (const manager of views) manager.clear();
    views = [];
    for (const item of items) {
      document.getElementById(item.target_id).replaceChildren();
      let text = JSON.stringify(item);
      if (wantsDark.matches) {
        for (const [light, other] of Object.entries(dark)) text = text.replaceAll(`"${light}"`, `"${other}"`);
      }
      views.push(await Bokeh.embed.embed_item(JSON.parse(text)));
    }
    document.documentElement.dataset.drawn = String(++rounds);
  }

  let last = draw();
  wantsDark.addEventListener("change", () => { last = last.then(draw); });
})();

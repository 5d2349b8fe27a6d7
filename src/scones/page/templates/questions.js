// Makes a CSV file of the answers that were chosen, in the page itself: nothing is sent anywhere.
(() => {
  "use strict";
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  for (const form of document.querySelectorAll("form.questions")) {
    const link = form.querySelector("a"), told = form.querySelector("output"), selects = [...form.querySelectorAll("select")];
    const update = () => {
      const rows = selects.filter((one) => one.value).map((one) => `${quoted(one.name)},${quoted(one.value)}`);
      link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(["event,label", ...rows, ""].join("\n"))}`;
      told.textContent = `${rows.length} of ${selects.length} answered`;
    };
    form.addEventListener("change", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    update();
  }
})();

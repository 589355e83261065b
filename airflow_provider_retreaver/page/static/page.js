// Makes the page a part of Airflow's interface. Without it everything can still be read, by links and reloads.
(() => {
  "use strict";
  const root = document.documentElement;
  // The page is shown in a frame of Airflow's; nothing is assumed about a parent of another origin.
  const parentDocument = (() => {
    try {
      return window.parent !== window ? window.parent.document : null;
    } catch {
      return null;
    }
  })();

  const followTheme = () => {
    let theme = null;
    if (parentDocument) {
      const classes = parentDocument.documentElement.classList;
      theme = classes.contains("dark") ? "dark" : classes.contains("light") ? "light" : null;
    }
    try {
      const stored = window.localStorage.getItem("theme");
      theme = theme || (stored === "dark" || stored === "light" ? stored : null);
    } catch {
      // A browser may refuse storage; its own preference then decides.
    }
    if (theme) root.dataset.theme = theme;
  };
  followTheme();
  if (parentDocument) {
    new MutationObserver(followTheme).observe(parentDocument.documentElement, {
      attributes: true,
      attributeFilter: ["class", "data-theme"],
    });
  }

  // Links to Airflow's own pages open in the whole window: the frame itself may not leave its place.
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[data-airflow]");
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || !parentDocument || !plain) return;
    event.preventDefault();
    const outside = parentDocument.createElement("a");
    outside.href = link.href;
    parentDocument.body.append(outside);
    outside.click();
    outside.remove();
  });

  // Figures are read again while somebody looks, and nothing moves under the keyboard.
  const refresh = async () => {
    const main = document.querySelector("main[data-refresh]");
    if (!main) return;
    const again = () => window.setTimeout(refresh, 1000 * Number(document.querySelector("main").dataset.refresh || 30));
    const inside = document.activeElement && main.contains(document.activeElement);
    const opened = main.querySelector("details[open]");
    if (document.visibilityState !== "visible" || inside || opened) return again();
    try {
      const answer = await fetch(window.location.href, { credentials: "same-origin", cache: "no-store" });
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
      if (fresh && !main.contains(document.activeElement)) main.replaceWith(fresh);
      if (!answer.ok) return;
    } catch {
      // Airflow cannot be reached now; the figures that are shown have their time.
    }
    again();
  };
  document.addEventListener("DOMContentLoaded", () => {
    const main = document.querySelector("main[data-refresh]");
    if (main) window.setTimeout(refresh, 1000 * Number(main.dataset.refresh));
  });
})();

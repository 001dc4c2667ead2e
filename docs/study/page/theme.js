/* The button #theme between light and dark; by itself a page is as the system is. */

"use strict";

{
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", dark());
  // Some browsers keep nothing for files of a disk, and say so by an error.
  const kept = (use) => {
    try {
      return use(localStorage);
    } catch {
      return null;
    }
  };

  const before = kept((store) => store.getItem("taae-theme"));
  if (before) root.dataset.theme = before;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    kept((store) => store.setItem("taae-theme", root.dataset.theme));
    show();
  });
  system.addEventListener("change", show);
  button.hidden = false;
  show();
}

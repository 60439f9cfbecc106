"use strict";
// The pages work without this: it copies snippets, and leaves out pictures that there are not.
for (const button of document.querySelectorAll("[data-copies]")) {
  const code = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected: copy with the keyboard";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 3000);
  });
}
for (const image of document.querySelectorAll(".picture img")) {
  const remove = () => image.remove();
  if (image.complete && !image.naturalWidth) remove();
  else image.addEventListener("error", remove);
}
// A second click would ask a second time.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    const pressed = event.submitter;
    if (pressed) pressed.setAttribute("aria-busy", "true");
  });
}
// Coming back shows the page as it was left: its buttons are to work again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

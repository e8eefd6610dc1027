// Two of a row's pictures over each other, divided by a slider: by keys, by mouse or by touch.
function makeCompare(section) {
  const parts = [...section.querySelectorAll(".part")].filter((part) => part.querySelector("img"));
  if (parts.length < 2) return;
  const [left, right] = [el("img", { alt: "" }), el("img", { alt: "" })];
  const edge = el("div", { class: "edge" });
  const stage = el("div", { class: "stage", "aria-hidden": "true" }, right, left, edge);
  const choice = (chosen) => el("select", { on: { change: show } }, ...parts.map((part, place) =>
    el("option", { value: place, selected: place === chosen }, part.dataset.name)));
  const best = parts.findIndex((part) => "method" in part.dataset);
  const [first, second] = [choice(Math.min(1, parts.length - 2)), choice(best < 0 ? parts.length - 1 : best)];
  const slider = el("input", { type: "range", min: 0, max: 100, step: 1, value: 50, on: { input: show } });
  const halves = el("div", { class: "halves" }, el("span"), el("span"));
  const words = (part) => [part.dataset.name, part.dataset.scores].filter(Boolean).join(" ");

  function show() {
    const at = Number(slider.value);
    const [a, b] = [parts[first.value], parts[second.value]];
    for (const [image, part] of [[left, a], [right, b]]) {
      const source = part.querySelector("img").src;
      if (image.src !== source) image.src = source;
    }
    left.style.clipPath = `inset(0 ${100 - at}% 0 0)`;
    edge.style.left = `${at}%`;
    slider.setAttribute("aria-valuetext", `${at}\u2009% ${a.dataset.name}, ${100 - at}\u2009% ${b.dataset.name}`);
    halves.firstChild.textContent = words(a);
    halves.lastChild.textContent = words(b);
  }

  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    slider.value = Math.round(100 * (event.clientX - box.left) / box.width);
    show();
  };
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); follow(event); });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  const heading = section.querySelector("h3").textContent;
  section.append(el("div", { class: "compare", role: "group", "aria-label": `Two pictures of ${heading}, divided` },
    el("div", {}, stage, halves, el("label", {}, el("span", { class: "sr" }, "Divider between left and right"), slider)),
    el("div", { class: "choose" }, el("label", {}, "Left", first), el("label", {}, "Right", second))));
  show();
}

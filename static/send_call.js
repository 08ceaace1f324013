// Fills in the payload of a call when its action is chosen, unless someone has written one.
document.addEventListener("DOMContentLoaded", () => {
  const action = document.querySelector("select[data-templates]");
  const payload = document.getElementById("id_payload");
  if (!action || !payload) return;
  const templates = JSON.parse(action.dataset.templates);
  const written = [...Object.values(templates), "{}", ""];
  action.addEventListener("change", () => {
    if (written.includes(payload.value.trim())) payload.value = templates[action.value] || "{}";
  });
});

/* SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
   SPDX-License-Identifier: GPL-3.0-or-later */
/* The filter: shows the rows that have all the words. Reads text and sets an attribute; adds no markup. */
"use strict";
{
  const by = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("[data-level]")].map((row) => [row, row.textContent.toLowerCase()]);
  const apply = () => {
    const words = by("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const faulty = by("faulty").checked;
    let shown = 0;
    for (const [row, text] of rows) {
      const fits = words.every((word) => text.includes(word)) && !(faulty && row.dataset.level === "ok");
      row.toggleAttribute("data-hidden", !fits);
      if (fits && row.tagName === "TR") shown += 1;
    }
    for (const section of document.querySelectorAll("section"))
      section.toggleAttribute(
        "data-hidden",
        section.querySelector("[data-level]") !== null && section.querySelector("[data-level]:not([data-hidden])") === null,
      );
    const all = rows.filter(([row]) => row.tagName === "TR").length;
    by("shown").textContent = shown === all ? "" : `${shown} of ${all} rows`;
  };
  by("filter").addEventListener("input", apply);
  by("filter").addEventListener("submit", (event) => event.preventDefault());
  by("filter").hidden = false;
  apply();
}

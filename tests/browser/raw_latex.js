// Returns LaTeX that a page shows as text: in its prose, or inside a formula that was not read whole.
() => [["p, td", /\\(begin|text|left)\b.*|[$]{2}/], ["math", /&|\\[a-z]+/]]
  .flatMap(([kind, sign]) => [...document.querySelectorAll(`article :is(${kind})`)]
    .filter(each => !each.querySelector("code"))
    .map(each => each.textContent.trim().match(sign)))
  .filter(found => found).map(found => found[0].slice(0, 40)).join("; ")

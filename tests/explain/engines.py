"""Who reads the printed LaTeX: KaTeX, MathJax 3 and 4 on node, pdfLaTeX and XeLaTeX."""

import json
import shutil
import subprocess

__all__ = ["ENGINES", "SCRIPTS", "compile_with", "has_package", "read_by"]

_EACH = """
const bad = [];
for (const text of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  try { read(text); } catch (error) { bad.push(error.message + " in " + text.slice(0, 300)); }
}
console.log(JSON.stringify(bad));
"""
_KATEX = """
const katex = require("katex");
const options = {displayMode: true, throwOnError: true, strict: "error"};
const read = text => katex.renderToString(text, options);
"""
_MATHJAX = """
const {mathjax} = require("PACKAGE/js/mathjax.js");
const {TeX} = require("PACKAGE/js/input/tex.js");
const {liteAdaptor} = require("PACKAGE/js/adaptors/liteAdaptor.js");
const {RegisterHTMLHandler} = require("PACKAGE/js/handlers/html.js");
const {SerializedMmlVisitor} = require("PACKAGE/js/core/MmlTree/SerializedMmlVisitor.js");
const {STATE} = require("PACKAGE/js/core/MathItem.js");
require("PACKAGE/js/input/tex/base/BaseConfiguration.js");
require("PACKAGE/js/input/tex/ams/AmsConfiguration.js");
// Browsers load these when they are met.
require("PACKAGE/js/input/tex/boldsymbol/BoldsymbolConfiguration.js");
require("PACKAGE/js/input/tex/color/ColorConfiguration.js");
RegisterHTMLHandler(liteAdaptor());
const formatError = (jax, error) => { throw error };
const packages = ["base", "ams", "boldsymbol", "color"];
const page = mathjax.document("", {InputJax: new TeX({packages, formatError})});
const visitor = new SerializedMmlVisitor();
const read = text => {
  const made = visitor.visitTree(page.convert(text, {display: true, end: STATE.CONVERT}));
  // A command that it does not know inside text is shown as it stands.
  const shown = made.replace(/data-latex[-a-z]*="[^"]*"/g, "").replaceAll(">\\\\<", "");
  if (shown.includes("\\\\")) throw new Error(shown);
};
"""
SCRIPTS = {
    "katex": _KATEX,
    "mathjax-full": _MATHJAX.replace("PACKAGE", "mathjax-full"),
    "@mathjax/src": _MATHJAX.replace("PACKAGE", "@mathjax/src"),
}
"""By node's package: KaTeX, MathJax 3, MathJax 4."""

_HEADS = {
    "pdflatex": r"\usepackage[utf8]{inputenc}\usepackage{textcomp}\usepackage[T1]{fontenc}",
    # A font that has them must be named; without it, xelatex only warns.
    "xelatex": r"\usepackage{fontspec}",
}
ENGINES = tuple(_HEADS)


def has_package(package):
    """Tell whether node knows a package."""
    node = shutil.which("node")
    known = node and subprocess.run(
        [node, "-e", f"require.resolve('{package}/package.json')"], capture_output=True, check=False
    )
    return bool(known) and known.returncode == 0


def read_by(package, texts):
    """Return what a package says against the texts."""
    done = subprocess.run(
        [shutil.which("node"), "-e", SCRIPTS[package] + _EACH],
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def compile_with(engine, texts, folder):
    """Return the end of LaTeX's log if it does not compile the texts, else nothing."""
    body = "\n\n".join(
        text if text.startswith(r"\begin{align*}") else f"\\[\n{text}\n\\]" for text in texts
    )
    head = r"\documentclass{article}\usepackage{amsmath,xcolor}\allowdisplaybreaks"
    page = f"{head}{_HEADS[engine]}\\begin{{document}}{body}\\end{{document}}"
    (folder / "page.tex").write_text(page, encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout[-2000:]

// Opens the dashboard as a browser does, gives it the token that it asks for, and prints what it shows once it shows a failure.
//
//     dashboard.js MQTT_PORT ADMIN_ADDRESS TOKEN
"use strict";

const { JSDOM, VirtualConsole } = require("jsdom");

const [, , , admin, token] = process.argv;

// Its style sheet is for browsers; what its script complains of is not.
const complaints = new VirtualConsole();
complaints.on("jsdomError", (error) => {
  if (error.type === "css parsing" || /stylesheet/.test(error.message)) return;
  console.error(error);
  process.exit(1);
});

async function until(what, found) {
  for (let tries = 0; tries < 600; tries++) {
    const it = found();
    if (it) return it;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no ${what}`);
}

async function main() {
  const { window } = await JSDOM.fromURL(`http://${admin}/`, {
    runScripts: "dangerously",
    resources: "usable",
    virtualConsole: complaints,
    beforeParse(page) {
      page.fetch = (path, options) => fetch(new URL(path, page.location.href), options);
    },
  });
  const { document } = window;
  const form = await until("form", () => document.querySelector("form:not([hidden])"));
  console.log(`stranger: ${document.getElementById("health").textContent}, ${document.querySelectorAll("article").length} plugins`);
  form.elements.namedItem("token").value = token;
  form.dispatchEvent(new window.Event("submit", { cancelable: true }));
  await until("failure", () => document.querySelector("main:not([hidden]) article p.bad"));
  for (const row of document.querySelectorAll("#figures div")) {
    console.log(`figure: ${row.querySelector("dt").textContent}: ${row.querySelector("dd").textContent}`);
  }
  for (const plugin of document.querySelectorAll("article")) {
    const [name, state] = plugin.querySelector("header").children;
    console.log(`plugin: ${name.textContent} ${state.textContent}`);
    for (const row of plugin.querySelectorAll("tr")) {
      console.log(`row: ${[...row.children].map((cell) => cell.textContent).join(" | ")}`);
    }
    for (const error of plugin.querySelectorAll("p")) console.log(`error: ${error.textContent}`);
  }
  console.log(`script elements: ${document.querySelectorAll("script").length}`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

// Checks that the page came out whole.
const fs = require("fs");
const ms = require("ms");
const colours = require("picocolors");
const page = fs.readFileSync(process.argv[2], "utf8");
if (!page.includes("<li>three</li>")) { console.error("page is incomplete"); process.exit(1); }
console.log(colours.bold("page is complete"), "cache for", ms(ms("1h")));

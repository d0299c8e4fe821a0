// Unpacks the browser of the npm package @sparticuz/chromium: node unpack_browser.js TO

const {createReadStream, createWriteStream} = require("node:fs");
const {join} = require("node:path");
const {pipeline} = require("node:stream");
const {createBrotliDecompress} = require("node:zlib");

const packed = join(__dirname, "node_modules/@sparticuz/chromium/bin/chromium.br");
pipeline(createReadStream(packed), createBrotliDecompress(), createWriteStream(process.argv[2], {mode: 0o755}), (failed) => {
  if (failed) throw failed;
});

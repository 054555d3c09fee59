// Check one sweep order with nothing but the published keys and schema. Node 18 or later, no packages.
//
//   node verify_order.mjs KEYS SCHEMA < order.jws
//
// KEYS and SCHEMA are addresses or files. Prints the order, or says why it is none and ends with 1.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const ALGORITHMS = { ES256: ["sha256", "ieee-p1363"], EdDSA: [null, undefined] };

async function load(place) {
  if (!place.startsWith("http")) return JSON.parse(readFileSync(place, "utf8"));
  const answer = await fetch(place);
  if (!answer.ok) throw new Error(`${place} answers ${answer.status}`);
  return answer.json();
}

function opened(jws, keys) {
  const [head, body, signature] = jws.trim().split(".");
  const header = JSON.parse(Buffer.from(head, "base64url"));
  const key = keys.find((one) => one.kid === header.kid);
  if (!key) throw new Error("no published key signed this");
  // The key says which algorithm is right; the header may not choose another one.
  if (header.alg !== key.alg || !(key.alg in ALGORITHMS)) throw new Error("wrong algorithm");
  if (header.typ !== "sweep+jws") throw new Error("this is no sweep order");
  const [digest, dsaEncoding] = ALGORITHMS[key.alg];
  const holder = createPublicKey({ key, format: "jwk" });
  const data = Buffer.from(`${head}.${body}`);
  if (!verify(digest, data, { key: holder, dsaEncoding }, Buffer.from(signature, "base64url")))
    throw new Error("the signature does not hold");
  const now = Number(process.env.NOW ?? Date.now() / 1000);
  if (!(now < header.exp)) throw new Error("the order has run out");
  const text = Buffer.from(body, "base64url").toString("utf8");
  if (JSON.parse(text).order_id !== header.jti) throw new Error("header and order disagree");
  return text;
}

// The keywords that the schema of orders uses; another one is refused, not skipped.
const KEYWORDS = {
  type: (value, wanted) => [wanted].flat().includes(value === null ? "null" : typeof value),
  required: (value, names) => names.every((name) => name in value),
  pattern: (value, form) => new RegExp(form, "u").test(value),
  minimum: (value, least) => value === null || value >= least,
  exclusiveMinimum: (value, bound) => value > bound,
  exclusiveMaximum: (value, bound) => value < bound,
  // A decimal with up to four places; a binary remainder would lie.
  multipleOf: (value, step) => Math.abs(value / step - Math.round(value / step)) < 1e-6 * (value / step),
  format: () => true, // said more exactly by the patterns
  description: () => true,
};
const STRUCTURE = ["properties", "additionalProperties", "$schema", "$id", "title"];

function check(value, schema, path = "order") {
  for (const [word, rule] of Object.entries(schema)) {
    if (STRUCTURE.includes(word)) continue;
    if (!(word in KEYWORDS)) throw new Error(`schema keyword ${word} is not known here`);
    if (!KEYWORDS[word](value, rule)) throw new Error(`${path}: ${word} does not hold`);
  }
  for (const [name, inner] of Object.entries(value ?? {})) {
    if (typeof value !== "object") break;
    if (!(name in (schema.properties ?? {}))) throw new Error(`${path}.${name} is not known`);
    check(inner, schema.properties[name], `${path}.${name}`);
  }
}

const [keysAt, schemaAt] = process.argv.slice(2);
try {
  const text = opened(readFileSync(0, "utf8"), (await load(keysAt)).keys);
  check(JSON.parse(text), await load(schemaAt));
  console.log(text); // the very bytes that were signed; read amounts from here as decimals
} catch (problem) {
  console.error(`refused: ${problem.message}`);
  process.exit(1);
}

// Writes library.json: items as ElectroDB writes them for the library of its own documentation.
// Run: npm install electrodb@3.9.3 && node make.mjs > library.json
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const { Entity } = require("electrodb");
const { version } = require("electrodb/package.json");

const text = { type: "string" };
const key = (field, composite) => ({ field, composite });
const index = (number, partition, sort, collection) => ({
  ...(collection ? { collection: [collection] } : {}),
  index: `gsi${number}pk-gsi${number}sk-index`,
  pk: key(`gsi${number}pk`, partition),
  sk: key(`gsi${number}sk`, sort),
});
const table = (partition, sort, collection) => ({
  ...(collection ? { collection: [collection] } : {}),
  pk: key("pk", partition),
  sk: key("sk", sort),
});
const entity = (name, attributes, indexes) =>
  new Entity({ model: { entity: name, version: "1", service: "library" }, attributes, indexes }, { table: "library" });

const names = (...all) => Object.fromEntries(all.map((name) => [name, text]));
const book = entity(
  "book",
  names("bookId", "bookTitle", "description", "publisher", "releaseDate", "authorFirstName", "authorLastName", "isbn",
    "loanStartDate", "loanEndDate", "memberId"),
  {
    copies: table(["isbn"], ["bookId"], "detail"),
    loans: index(1, ["memberId"], ["loanEndDate"], "account"),
    author: index(2, ["authorLastName", "authorFirstName"], ["loanEndDate"], "works"),
    editions: index(3, ["bookTitle"], ["releaseDate"], "titles"),
  },
);
const author = entity(
  "author",
  names("authorFirstName", "authorLastName", "birthday", "bio"),
  {
    writer: table(["authorLastName"], ["authorFirstName", "birthday"]),
    info: index(2, ["authorLastName", "authorFirstName"], [], "works"),
  },
);
const genre = entity(
  "genre",
  names("genre", "isbn", "bookId", "bookTitle", "authorFirstName", "authorLastName", "subgenre"),
  {
    book: table(["isbn"], ["genre", "subgenre"], "detail"),
    categories: index(1, ["genre"], ["subgenre"]),
    author: index(2, ["authorLastName", "authorFirstName"], ["genre", "subgenre"], "works"),
    title: index(3, ["bookTitle"], ["genre", "subgenre"], "titles"),
  },
);
const member = entity(
  "member",
  { ...names("memberId", "membershipStartDate", "membershipEndDate"),
    address: { type: "map", properties: names("streetAddress", "city", "state", "zip") } },
  {
    member: table(["memberId"], []),
    _: index(1, ["memberId"], [], "account"),
  },
);

const writer = { authorFirstName: "Ada", authorLastName: "Lovelace" };
const title = { isbn: "978-0-13-4", bookTitle: "Notes on the Engine" };
const values = [
  [book, { bookId: "B-1", ...title, description: "Notes", publisher: "Taylor", releaseDate: "1843-09-01", ...writer,
    loanStartDate: "2026-01-01", loanEndDate: "2026-02-01", memberId: "M-1" }],
  [book, { bookId: "b2", ...title, description: "A second copy", publisher: "Taylor", releaseDate: "1843-09-01",
    ...writer, loanEndDate: "AVAILABLE", memberId: "nobody" }],
  [author, { ...writer, birthday: "1815-12-10", bio: "Wrote the first program." }],
  [genre, { genre: "Technical", subgenre: "History", bookId: "B-1", ...title, ...writer }],
  [member, { memberId: "M-1", membershipStartDate: "2025-01-01", membershipEndDate: "2027-01-01",
    address: { streetAddress: "1 St James's Square", city: "London", state: "London", zip: "SW1Y" } }],
];
const stored = (value) =>
  typeof value === "string" ? { S: value } : { M: Object.fromEntries(Object.entries(value).map(([k, v]) => [k, stored(v)])) };
const items = values.map(([of, item]) => stored(of.put(item).params().Item).M);
const lines = items.map((item) => `  ${JSON.stringify(item)}`).join(",\n");
console.log(`{\n "electrodb": "${version}",\n "items": [\n${lines}\n ]\n}`);

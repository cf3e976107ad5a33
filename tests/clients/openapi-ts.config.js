/** @hey-api's client: its imports name files as Node finds them. */
export default {
  input: process.env.QS_TEST_DOCUMENT,
  output: { path: "generated/hey-api", module: { extension: ".ts" } },
  plugins: ["@hey-api/client-fetch", "@hey-api/sdk", "@hey-api/typescript"],
};

import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import tseslint from "typescript-eslint";

const PURE = ["assembly/config/**", "assembly/connection/**", "assembly/policy/**"];

/** Forbids an import path, with the reason that the reader of the error needs. */
function mayNotImport(patterns, message) {
  return { "no-restricted-imports": ["error", { patterns: [{ group: patterns, message }] }] };
}

export default tseslint.config(
  { ignores: ["build/", ".cache/", "node_modules/"] },
  js.configs.recommended,
  {
    files: ["tools/**/*.ts", "test/**/*.ts", "lab/**/*.ts", "bench/**/*.ts", "*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: { console: "readonly", process: "readonly" } },
  },
  {
    // AssemblyScript: typed rules would judge it by TypeScript's types, so only the others apply.
    files: ["assembly/**/*.ts"],
    extends: [tseslint.configs.recommended],
    rules: {
      "prefer-const": "off",
      "no-loss-of-precision": "off",
      "@typescript-eslint/no-loss-of-precision": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
    },
  },
  {
    files: PURE,
    rules: mayNotImport(["**/abi/*", "**/plugin/*", "**/metrics"], "the pure core knows no host"),
  },
  {
    files: ["assembly/plugin/**"],
    rules: mayNotImport(["@gcoredev/*", "**/abi/memory"], "only abi/ knows pointers"),
  },
  prettier,
);

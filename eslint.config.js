import tseslint from 'typescript-eslint'

export default tseslint.config(
  {
    ignores: [
      'node_modules',
      'artifacts',
      'bench/.peers',
      'dist',
      'test/fixtures',
      'test/e2e/example',
      '**/*.mjs',
      '**/*.cjs',
      'eslint.config.js',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // a mixed import keeps a module's side effects in the bundle, and so in the code digest
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      'no-console': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-non-null-assertion': 'off', // noUncheckedIndexedAccess makes dense numeric code need it
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'max-lines': ['error', { max: 300 }],
    },
  },
  {
    // describe() and it() return promises that the runner owns
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
            },
          ],
        },
      ],
      'max-lines': 'off',
    },
  },
  {
    files: ['test/system/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            "CallExpression[callee.object.name='assert'] > AwaitExpression > CallExpression[callee.property.name=/^(count|textContent|allTextContents|inputValue)$/]",
          message: 'A page draws after what was done to it: read it by comesTo, which waits for what is wanted.',
        },
      ],
    },
  },
  { files: ['lib/cli/**/*.ts', 'bench/**/*.ts'], rules: { 'no-console': 'off' } },
)

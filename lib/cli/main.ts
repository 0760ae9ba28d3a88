import packageJson from '../../package.json' with { type: 'json' }

// what the quickest answer does not need is loaded behind it
const args = process.argv.slice(2)
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) console.log(packageJson.version)
else {
  const { main } = await import('./program.ts')
  await main(args, packageJson.version)
}

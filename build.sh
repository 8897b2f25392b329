#!/usr/bin/env bash
# ./build.sh [build|test|demo|bench|package|clean] [more parameters of build.ps1]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
task=${1:-build}
shift || true
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 POWERSHELL_TELEMETRY_OPTOUT=1 POWERSHELL_UPDATECHECK=Off
if [[ $(pwsh -Version 2>/dev/null || true) =~ ^PowerShell\ 7\.([4-9]|[1-9][0-9]) ]]; then
    exec pwsh -NoProfile -NonInteractive -File "$here/build.ps1" -Task "$task" "$@"
fi
if ! command -v dotnet >/dev/null; then
    echo 'Missing: the .NET SDK 10 (dotnet), which brings PowerShell with it.' >&2
    exit 1
fi
cd "$here" && dotnet tool restore --verbosity quiet >/dev/null
exec dotnet tool run pwsh -- -NoProfile -NonInteractive -File "$here/build.ps1" -Task "$task" "$@"

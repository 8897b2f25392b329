# Where the Pester tests and the demonstration run: kind where it is there, else the sandbox. Dot-sourced by build.ps1.

# Commands that the sandbox and its images need, and the Debian packages that bring them.
$script:SandboxPackages = [ordered]@{
    python3    = 'python3'
    mmdebstrap = 'mmdebstrap'
    runc       = 'runc'
    mount      = 'mount'
}

function Get-PwshCommand {
    # This PowerShell, as a program and its first arguments: a .NET tool has no program of its own.
    if ([System.IO.Path]::GetFileNameWithoutExtension([Environment]::ProcessPath) -eq 'dotnet') {
        return [Environment]::ProcessPath, @((Join-Path $PSHOME 'pwsh.dll'))
    }
    return [Environment]::ProcessPath, @()
}

function Test-Kind {
    # kind, a Docker that answers, and the image of a node.
    if (-not (Get-Command kind, docker -CommandType Application -ErrorAction Ignore | Select-Object -Skip 1)) {
        return $false
    }
    $node = & docker image ls --quiet kindest/node 2>$null
    return $LASTEXITCODE -eq 0 -and [bool]$node
}

function New-TestImage {
    # Makes the test images that are not there yet.
    & python3 -B (Join-Path $PSScriptRoot 'images/make') @args | Out-Host
    if ($LASTEXITCODE -ne 0) {
        throw "tests/images/make ended with exit code $LASTEXITCODE."
    }
    return Join-Path ($env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug') 'images'
}

function Start-TestCluster {
    # Starts a cluster with the test images and gives its kubeconfig, kind and what Stop-TestCluster needs.
    param([switch] $Kind)
    if ($Kind -and (Test-Kind)) {
        return Start-KindCluster
    }
    return Start-Sandbox
}

function Start-Sandbox {
    $images = New-TestImage
    $out = Join-Path (Split-Path $PSScriptRoot) 'out'
    $sandbox = Join-Path $PSScriptRoot 'Sandbox'
    $fixed = '-c', 'Release', '-m:1', '-nodeReuse:false', '-p:UseSharedCompilation=false', '-v:quiet', '-nologo'
    & dotnet build (Join-Path $sandbox 'Sandbox.csproj') @fixed | Out-Host
    if ($LASTEXITCODE -ne 0) {
        throw 'The sandbox does not build.'
    }
    $state = [System.IO.Directory]::CreateTempSubdirectory('pydebug-').FullName
    $log = Join-Path $out 'sandbox.log'
    $start = [System.Diagnostics.ProcessStartInfo]::new('/bin/sh')
    # The sandbox ends with its standard input, so it cannot outlive this PowerShell.
    $program = Join-Path $sandbox 'bin/Release/net10.0/Sandbox.dll'
    @('-c', 'log=$1; shift; exec "$@" >"$log" 2>&1', 'sh', $log, 'dotnet', $program, '--images', $images,
        '--state', $state, '--watch-stdin') | ForEach-Object { $start.ArgumentList.Add($_) }
    $start.RedirectStandardInput = $true
    $start.UseShellExecute = $false
    $process = [System.Diagnostics.Process]::Start($start)
    $cluster = [pscustomobject]@{
        Kind = 'sandbox'; Kubeconfig = (Join-Path $state 'kubeconfig'); Process = $process; State = $state; Name = $null
    }
    $deadline = [DateTime]::UtcNow.AddSeconds(60)
    while (-not (Test-Path -LiteralPath (Join-Path $state 'ready'))) {
        if ($process.HasExited -or [DateTime]::UtcNow -gt $deadline) {
            Stop-TestCluster $cluster
            throw "The sandbox does not serve: $(Get-Content -LiteralPath $log -Tail 5 -ErrorAction Ignore)"
        }
        Start-Sleep -Milliseconds 50
    }
    Write-Host "The sandbox serves; its log is $log"
    return $cluster
}

function Start-KindCluster {
    $images = New-TestImage
    $name = 'pydebug-demo'
    $state = [System.IO.Directory]::CreateTempSubdirectory('pydebug-').FullName
    $cluster = [pscustomobject]@{
        Kind = 'kind'; Kubeconfig = (Join-Path $state 'kubeconfig'); Process = $null; State = $state; Name = $name
    }
    try {
        $node = & docker image ls --format '{{.Repository}}:{{.Tag}}' kindest/node | Select-Object -First 1
        & kind create cluster --name $name --image $node --kubeconfig $cluster.Kubeconfig --wait 120s | Out-Host
        if ($LASTEXITCODE -ne 0) {
            throw "kind create cluster ended with exit code $LASTEXITCODE."
        }
        foreach ($folder in Get-ChildItem -Directory -LiteralPath $images) {
            $config = Get-Content -Raw -LiteralPath (Join-Path $folder.FullName 'config.json') | ConvertFrom-Json
            $changes = @("CMD $(ConvertTo-Json -Compress @($config.Cmd))", "WORKDIR $($config.WorkingDir)")
            $changes += @($config.Env | ForEach-Object { "ENV $_" })
            if ($config.User) {
                $changes += "USER $($config.User)"
            }
            $archive = Join-Path $state "$($folder.Name).tar"
            & tar --create --file $archive --numeric-owner --directory (Join-Path $folder.FullName 'rootfs') .
            $options = @($changes | ForEach-Object { '--change', $_ })
            & docker import @options $archive "pydebug.test/$($folder.Name):1" | Out-Null
            & kind load docker-image --name $name "pydebug.test/$($folder.Name):1" | Out-Host
            Remove-Item -LiteralPath $archive
        }
        return $cluster
    }
    catch {
        Stop-TestCluster $cluster
        throw
    }
}

function Stop-TestCluster {
    param([psobject] $Cluster)
    if ($Cluster.Kind -eq 'kind') {
        & kind delete cluster --name $Cluster.Name | Out-Host
    }
    elseif (-not $Cluster.Process.HasExited) {
        $Cluster.Process.StandardInput.Close()
        if (-not $Cluster.Process.WaitForExit(60000)) {
            Write-Warning "The sandbox did not end; process $($Cluster.Process.Id) is killed, containers may be left."
            $Cluster.Process.Kill($true)
        }
    }
    Remove-Item -LiteralPath $Cluster.State -Recurse -Force -ErrorAction Ignore
}

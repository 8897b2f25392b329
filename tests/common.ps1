# What every Pester file starts with: the module, the cluster's API by plain HTTP, and pods to work on. Dot-sourced in
# BeforeAll. PYDEBUG_TEST_KUBECONFIG names the cluster (token or client certificate), PYDEBUG_TEST_KIND its kind.

Set-StrictMode -Version 1
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$script:Repository = Split-Path $PSScriptRoot
$script:ModulePath = $env:PYDEBUG_MODULE ? $env:PYDEBUG_MODULE : (Join-Path $script:Repository 'out/module/PyDebug')
$env:KUBECONFIG = $env:PYDEBUG_TEST_KUBECONFIG
$env:PYDEBUG_IMAGE = $null

. (Join-Path $PSScriptRoot 'environment.ps1')
. (Join-Path $PSScriptRoot 'exec.ps1')

if (-not (Get-Module PyDebug)) {
    Import-Module (Join-Path $script:ModulePath 'PyDebug.psd1')
}

function Test-MemrayPayload {
    # Whether the module carries a memray for the Python of a test image, py313 for example, on this machine.
    param([string] $Image)
    $path = Join-Path (Get-Module PyDebug).ModuleBase 'bin/payload/memray/manifest.json'
    if (-not (Test-Path -LiteralPath $path)) {
        return $false
    }
    $machine = [System.Runtime.InteropServices.RuntimeInformation]::OSArchitecture -eq 'Arm64' ? 'aarch64' : 'x86_64'
    $payloads = (Get-Content -Raw -LiteralPath $path | ConvertFrom-Json).payloads.PSObject.Properties[$machine]
    # The images have no C++ runtime of their own.
    return $payloads -and $payloads.Value.PSObject.Properties['runtime'] -and
        $payloads.Value.PSObject.Properties[$Image -replace '^py', 'cp']
}

function Get-TestServer {
    # The server, its authority and our identity, from the kubeconfig of the tests.
    $text = Get-Content -Raw -LiteralPath $env:PYDEBUG_TEST_KUBECONFIG
    $value = {
        param($key)
        $text -match "(?m)(?:^|[\s{,-])[`"']?${key}[`"']?:\s*[`"']?([^`"'\s,}]+)" ? $Matches[1] : $null
    }
    $bytes = {
        param($key)
        $inline = & $value "$key-data"
        $file = & $value $key
        $inline ? [Convert]::FromBase64String($inline) : $file ? [System.IO.File]::ReadAllBytes($file) : $null
    }
    return [pscustomobject]@{
        Address     = [Uri](& $value 'server')
        Authority   = & $bytes 'certificate-authority'
        Token       = & $value 'token'
        Certificate = & $bytes 'client-certificate'
        Key         = & $bytes 'client-key'
    }
}

function New-TestClient {
    # An HTTP client that trusts the kubeconfig's authority alone.
    param([psobject] $Server)
    $handler = [System.Net.Http.SocketsHttpHandler]::new()
    $policy = [System.Security.Cryptography.X509Certificates.X509ChainPolicy]::new()
    $policy.RevocationMode = 'NoCheck'
    if ($Server.Authority) {
        $policy.TrustMode = 'CustomRootTrust'
        $policy.CustomTrustStore.ImportFromPem([System.Text.Encoding]::ASCII.GetString($Server.Authority))
    }
    $handler.SslOptions.CertificateChainPolicy = $policy
    if ($Server.Certificate) {
        $ascii = [System.Text.Encoding]::ASCII
        $pair = [System.Security.Cryptography.X509Certificates.X509Certificate2]::CreateFromPem(
            $ascii.GetString($Server.Certificate), $ascii.GetString($Server.Key))
        $certificates = [System.Security.Cryptography.X509Certificates.X509CertificateCollection]::new()
        [void]$certificates.Add($pair)
        $handler.SslOptions.ClientCertificates = $certificates
    }
    $client = [System.Net.Http.HttpClient]::new($handler)
    $client.BaseAddress = $Server.Address
    $client.Timeout = [TimeSpan]::FromSeconds(30)
    if ($Server.Token) {
        $bearer = [System.Net.Http.Headers.AuthenticationHeaderValue]::new('Bearer', $Server.Token)
        $client.DefaultRequestHeaders.Authorization = $bearer
    }
    return $client
}

$script:Server = Get-TestServer
$script:Client = New-TestClient $script:Server

function Invoke-TestApi {
    # One request; gives the answer's object. Throws where the server refuses, unless -Allow has the status.
    param(
        [string] $Method,
        [string] $Path,
        [object] $Body,
        [string] $ContentType = 'application/json',
        [int[]] $Allow = @(),
        [switch] $AsText
    )
    $request = [System.Net.Http.HttpRequestMessage]::new($Method, $Path)
    if ($null -ne $Body) {
        $json = $Body -is [string] ? $Body : (ConvertTo-Json -InputObject $Body -Depth 20 -Compress)
        $request.Content = [System.Net.Http.StringContent]::new($json, [System.Text.Encoding]::UTF8, $ContentType)
    }
    $response = $script:Client.Send($request)
    $text = $response.Content.ReadAsStringAsync().GetAwaiter().GetResult()
    if (-not $response.IsSuccessStatusCode -and [int]$response.StatusCode -notin $Allow) {
        throw "$Method $Path answered $([int]$response.StatusCode): $text"
    }
    return $AsText -or -not $text ? $text : ($text | ConvertFrom-Json)
}

function Wait-Until {
    # Asks again until the condition gives something true, and gives that; throws at the deadline.
    param([scriptblock] $Condition, [string] $What = 'the condition', [double] $Seconds = 60, [int] $Milliseconds = 100)
    $deadline = [DateTime]::UtcNow.AddSeconds($Seconds)
    while ($true) {
        $value = & $Condition
        if ($value) {
            return $value
        }
        if ([DateTime]::UtcNow -gt $deadline) {
            throw "Waited $Seconds s for $What."
        }
        Start-Sleep -Milliseconds $Milliseconds
    }
}

function New-TestName {
    param([string] $Prefix = 'pydebug-test')
    return "$Prefix-$([Guid]::NewGuid().ToString('n').Substring(0, 8))"
}

function New-TestNamespace {
    # A namespace of its own for a test file; -PodSecurity sets the standard that is enforced there.
    param([string] $Name = (New-TestName), [string] $PodSecurity)
    $labels = @{ 'pydebug.test/made' = 'yes' }
    if ($PodSecurity) {
        $labels['pod-security.kubernetes.io/enforce'] = $PodSecurity
    }
    $body = @{ apiVersion = 'v1'; kind = 'Namespace'; metadata = @{ name = $Name; labels = $labels } }
    Invoke-TestApi POST '/api/v1/namespaces' $body -Allow 409 | Out-Null
    return $Name
}

function Remove-TestNamespace {
    param([string] $Name)
    if (-not $Name) {
        return
    }
    foreach ($pod in (Invoke-TestApi GET "/api/v1/namespaces/$Name/pods").items) {
        Remove-TestPod $Name $pod.metadata.name
    }
    Invoke-TestApi DELETE "/api/v1/namespaces/$Name" -Allow 404, 409 | Out-Null
}

function Remove-TestPod {
    # Deletes a pod and waits until it is gone.
    param([string] $Namespace, [string] $Name)
    $path = "/api/v1/namespaces/$Namespace/pods/$Name"
    Invoke-TestApi DELETE "${path}?gracePeriodSeconds=0" -Allow 404 | Out-Null
    Wait-Until -What "the end of pod $Name" { -not (Get-TestPod $Namespace $Name) } | Out-Null
}

function Get-TestPod {
    # The pod as the API has it, or nothing.
    param([string] $Namespace, [string] $Name)
    $pod = Invoke-TestApi GET "/api/v1/namespaces/$Namespace/pods/$Name" -Allow 404
    return $pod.kind -eq 'Pod' ? $pod : $null
}

function Get-EphemeralContainer {
    # The ephemeral containers in a pod's spec.
    param([string] $Namespace, [string] $Name)
    $spec = (Get-TestPod $Namespace $Name).spec
    return $spec.PSObject.Properties['ephemeralContainers'] ? @($spec.ephemeralContainers) : @()
}

function New-TestContainer {
    # A container of a pod from a test image.
    param(
        [string] $Name = 'web',
        [string] $Image = 'badapp',
        [string[]] $Command,
        [string[]] $Arguments,
        [hashtable] $Environment = @{},
        [hashtable] $Security,
        [string] $MemoryLimit,
        [string] $CpuLimit
    )
    $whole = $Image -match '[/:]' ? $Image : "pydebug.test/${Image}:1"
    $container = @{ name = $Name; image = $whole; imagePullPolicy = 'IfNotPresent' }
    if ($Command) {
        $container.command = @($Command)
    }
    if ($Arguments) {
        $container.args = @($Arguments)
    }
    if ($Environment.Count) {
        $container.env = @($Environment.GetEnumerator() | ForEach-Object { @{ name = $_.Key; value = "$($_.Value)" } })
    }
    if ($Security) {
        $container.securityContext = $Security
    }
    $limits = @{}
    if ($MemoryLimit) {
        $limits.memory = $MemoryLimit
    }
    if ($CpuLimit) {
        $limits.cpu = $CpuLimit
    }
    if ($limits.Count) {
        $container.resources = @{ limits = $limits }
    }
    return $container
}

function New-TestPod {
    # Makes a pod of one container (or of -Containers) and waits until it runs and, with -ReadyLog, has said so.
    param(
        [string] $Namespace,
        [string] $Name = (New-TestName 'pod'),
        [string] $Image = 'badapp',
        [string[]] $Command,
        [string[]] $Arguments,
        [hashtable] $Environment = @{},
        [hashtable] $Security,
        [string] $MemoryLimit,
        [string] $CpuLimit,
        [hashtable[]] $Containers,
        [hashtable] $Spec = @{},
        [hashtable] $Annotations = @{},
        [hashtable] $Labels = @{},
        [string] $ReadyLog,
        [switch] $NoWait
    )
    if (-not $Containers) {
        $one = @{
            Image = $Image; Command = $Command; Arguments = $Arguments; Environment = $Environment; Security = $Security
            MemoryLimit = $MemoryLimit; CpuLimit = $CpuLimit
        }
        $Containers = New-TestContainer @one
    }
    $whole = @{
        containers = @($Containers)
        automountServiceAccountToken = $false
        enableServiceLinks = $false
        terminationGracePeriodSeconds = 1
    } + $Spec
    $metadata = @{ name = $Name; namespace = $Namespace; annotations = $Annotations; labels = $Labels }
    $body = @{ apiVersion = 'v1'; kind = 'Pod'; metadata = $metadata; spec = $whole }
    # A new namespace has no service account for the first moments.
    Wait-Until -What "pod $Name to be accepted" -Seconds 20 {
        $answer = Invoke-TestApi POST "/api/v1/namespaces/$Namespace/pods" $body -Allow 403
        if ($answer.kind -ne 'Pod' -and $answer.message -notmatch 'serviceaccount') {
            throw $answer.message
        }
        $answer.kind -eq 'Pod'
    } | Out-Null
    if (-not $NoWait) {
        Wait-TestPod $Namespace $Name
        if ($ReadyLog) {
            Wait-PodLog $Namespace $Name $ReadyLog | Out-Null
        }
    }
    return $Name
}

function Wait-TestPod {
    # Until all containers run.
    param([string] $Namespace, [string] $Name, [double] $Seconds = 60)
    $script:lastStatus = $null
    try {
        Wait-Until -What "pod $Name to run" -Seconds $Seconds {
            $pod = Get-TestPod $Namespace $Name
            $script:lastStatus = $pod.status
            $states = $pod.status.PSObject.Properties['containerStatuses'] ? @($pod.status.containerStatuses) : @()
            $running = @($states | Where-Object { $_.state.PSObject.Properties['running'] })
            $pod.status.phase -eq 'Running' -and $running.Count -eq @($pod.spec.containers).Count
        } | Out-Null
    }
    catch {
        throw "$_ Its status: $($script:lastStatus | ConvertTo-Json -Depth 8 -Compress)"
    }
}

function Wait-PodLog {
    # Until the container's log has the pattern; gives the log.
    param([string] $Namespace, [string] $Name, [string] $Pattern, [string] $Container, [double] $Seconds = 60)
    $query = $Container ? "?container=$Container" : ''
    return Wait-Until -What "'$Pattern' in the log of pod $Name" -Seconds $Seconds {
        $log = Invoke-TestApi GET "/api/v1/namespaces/$Namespace/pods/$Name/log$query" -AsText -Allow 400
        $log -match $Pattern ? $log : $null
    }
}

function Get-Failure {
    # The error records of a command, which is expected to write one error, or to end with it: not two for one fault.
    # -Count says where several things fail, -Any where whether it fails is what is asked.
    param([scriptblock] $Command, [int] $Count = 1, [switch] $Any)
    $failures = @()
    $output = @()
    try {
        & { $ErrorActionPreference = 'Continue'; & $Command 2>&1 3>$null } | ForEach-Object {
            if ($_ -is [System.Management.Automation.ErrorRecord]) {
                $failures += $_
            }
            else {
                $output += $_
            }
        }
    }
    catch {
        $failures += $_
    }
    if (-not $Any -and $failures.Count -ne $Count) {
        throw "$($failures.Count) errors where $Count was expected: $($failures -join ' | ')"
    }
    return [pscustomobject]@{ Errors = @($failures); First = $failures | Select-Object -First 1; Output = @($output) }
}

function Get-ErrorId {
    # The constant part of an error's id.
    param([System.Management.Automation.ErrorRecord] $Record)
    return ($Record.FullyQualifiedErrorId -split ',')[0]
}

function Invoke-ChildPwsh {
    # A script in a PowerShell of its own; gives its output as text lines, throws where it fails.
    param([string] $Script)
    $program, $arguments = Get-PwshCommand
    $text = "`$ErrorActionPreference='Stop'; `$PSStyle.OutputRendering='PlainText'`n$Script"
    $encoded = [Convert]::ToBase64String([System.Text.Encoding]::Unicode.GetBytes($text))
    $lines = & $program @arguments -NoProfile -NonInteractive -EncodedCommand $encoded 2>&1 | ForEach-Object { "$_" }
    if ($LASTEXITCODE -ne 0) {
        throw "The child PowerShell ended with exit code ${LASTEXITCODE}: $($lines -join "`n")"
    }
    return $lines
}

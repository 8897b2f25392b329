# Programs in the containers of test pods, run without the module. Dot-sourced by common.ps1.

function Invoke-PodExec {
    # Runs a command in a pod's container over the exec subresource (v4), gives its standard output; throws on failure.
    param([string] $Namespace, [string] $Name, [string[]] $Command, [string] $Container = 'web', [double] $Seconds = 30)
    $query = @($Command | ForEach-Object { "command=$([Uri]::EscapeDataString($_))" }) -join '&'
    $path = "/api/v1/namespaces/$Namespace/pods/$Name/exec?container=$Container&stdout=true&stderr=true&$query"
    $uri = [UriBuilder]::new([Uri]::new($script:Server.Address, $path))
    $uri.Scheme = 'wss'
    $socket = [System.Net.WebSockets.ClientWebSocket]::new()
    $socket.Options.AddSubProtocol('v4.channel.k8s.io')
    if ($script:Server.Token) {
        $socket.Options.SetRequestHeader('Authorization', "Bearer $($script:Server.Token)")
    }
    $cancel = [System.Threading.CancellationTokenSource]::new([TimeSpan]::FromSeconds($Seconds))
    $streams = @{}
    foreach ($number in 1, 2, 3) {
        $streams[$number] = [System.IO.MemoryStream]::new()
    }
    try {
        [void]$socket.ConnectAsync($uri.Uri, $script:Client, $cancel.Token).GetAwaiter().GetResult()
        $buffer = [byte[]]::new(65536)
        $channel = 0
        $first = $true
        while ($true) {
            $part = $socket.ReceiveAsync([ArraySegment[byte]]::new($buffer), $cancel.Token).GetAwaiter().GetResult()
            if ($part.MessageType -eq 'Close') {
                break
            }
            $skip = 0
            if ($first -and $part.Count -gt 0) {
                $channel = [int]$buffer[0]
                $skip = 1
            }
            $first = $part.EndOfMessage
            if ($streams.ContainsKey($channel)) {
                $streams[$channel].Write($buffer, $skip, $part.Count - $skip)
            }
        }
    }
    finally {
        $socket.Dispose()
        $cancel.Dispose()
    }
    $text = @{}
    foreach ($number in 1, 2, 3) {
        $text[$number] = [System.Text.Encoding]::UTF8.GetString($streams[$number].ToArray())
    }
    if ($text[3] -notmatch '"status":\s*"Success"') {
        throw "$($Command -join ' ') in pod ${Name}: $($text[2]) $($text[3])"
    }
    return $text[1]
}

function Invoke-PodPython {
    # Runs a Python program in the container with the image's own interpreter, gives what it printed.
    param([string] $Namespace, [string] $Name, [string] $Program, [string] $Container = 'web')
    return Invoke-PodExec $Namespace $Name @('python3', '-c', $Program) -Container $Container
}

function Get-PodProcessTable {
    # Every process that the container sees but the one that looks: pid, parent, state, command line.
    param([string] $Namespace, [string] $Name, [string] $Container = 'web')
    $program = @'
import json, os
rows = []
for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) != os.getpid():
        try:
            stat = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
            command = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        rows.append({"Pid": int(pid), "Parent": int(stat[1]), "State": stat[0], "Command": command})
print(json.dumps(rows))
'@
    return Invoke-PodPython $Namespace $Name $program $Container | ConvertFrom-Json
}

function Get-AgentProcess {
    # Our processes in the pod but for the keeper, which is told by the mark in its arguments.
    param([string] $Namespace, [string] $Name, [string] $Container = 'web')
    return @(Get-PodProcessTable $Namespace $Name $Container |
            Where-Object { $_.Command -match ' -I -S -B ' -and -not (Test-Keeper $_) })
}

function Test-Keeper {
    param([psobject] $Process)
    return $Process.Command -match 'pydebug-keeper'
}

function Request-Trouble {
    # Asks the service in the pod for a trouble, by its own HTTP interface.
    param([string] $Namespace, [string] $Name, [string] $Path, [string] $Container = 'web')
    $program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080$Path', timeout=20).read().decode())"
    return Invoke-PodPython $Namespace $Name $program $Container
}

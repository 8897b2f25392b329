# What lies between a client and a server: a proxy, and a load balancer that cuts what is quiet.

BeforeDiscovery {
    $script:noPython = -not (Get-Command python3 -CommandType Application -ErrorAction Ignore)
    if ($script:noPython) {
        Write-Warning 'SKIPPED: a network that cuts what is quiet. Missing: python3 on PATH.'
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -ReadyLog 'listens'

    function Start-Relay {
        # A proxy of ours, and a kubeconfig that goes through it.
        param([double] $Idle = 0)
        $start = [System.Diagnostics.ProcessStartInfo]::new('python3')
        @((Join-Path $PSScriptRoot 'relay.py'), '--idle', "$Idle") | ForEach-Object { $start.ArgumentList.Add($_) }
        $start.RedirectStandardInput = $true
        $start.RedirectStandardOutput = $true
        $process = [System.Diagnostics.Process]::Start($start)
        $port = $process.StandardOutput.ReadLine()
        $text = Get-Content -Raw -LiteralPath $env:PYDEBUG_TEST_KUBECONFIG
        $config = Join-Path $TestDrive "$(New-TestName 'relay').yaml"
        # Whatever the file's style is: the address is followed by the proxy's.
        $address = [regex]::Match($text, '(?m)(?<before>(?:^|[\s{,])["'']?)server(?<quote>["'']?):\s*(?<value>["'']?[^"''\s,}]+["'']?)')
        $name = "$($address.Groups['quote'].Value)proxy-url$($address.Groups['quote'].Value): `"http://127.0.0.1:$port`""
        $indent = [regex]::Match($text.Substring(0, $address.Index + $address.Groups['before'].Length), '(?m)^[ \t]*(?=["'']?\z)').Value
        $separator = $text.TrimStart().StartsWith('{') -or -not $indent ? ', ' : "`n$indent"
        $end = $address.Index + $address.Length
        Set-Content -LiteralPath $config -Value ($text.Substring(0, $end) + $separator + $name + $text.Substring($end))
        return [pscustomobject]@{ Process = $process; Config = $config }
    }

    function Stop-Relay {
        param([psobject] $Relay)
        $Relay.Process.Kill()
        $Relay.Process.WaitForExit()
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'A network' -Skip:$noPython {
    It 'with a load balancer that cuts what is quiet for 5 s is not noticed' {
        $relay = Start-Relay -Idle 5
        try {
            $session = Start-PodDebug $script:pod -Namespace $script:ns -Kubeconfig $relay.Config
            $report = $session | Measure-PyTime -DurationSeconds 8 -ErrorAction Stop
            $report.DurationSeconds | Should -BeGreaterThan 7
        }
        finally {
            Stop-Relay $relay
        }
    }
}

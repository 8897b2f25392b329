BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace

    # Keeps what is known: Orders in a dict, and one Session each 5 ms in a list that nobody empties.
    $script:shop = @'
import threading, time
class Order:
    def __init__(self, number): self.number = number; self.lines = [number, str(number)]
class Session:
    def __init__(self, number): self.number = number; self.token = "secret-%d" % number
ORDERS = {"key-%d" % number: Order(number) for number in range(20000)}
LEAK = []
def leak():
    number = 0
    while True:
        number += 1
        LEAK.append(Session(number))
        time.sleep(0.005)
threading.Thread(target=leak, daemon=True).start()
print("ready", flush=True)
time.sleep(3600)
'@
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Get-PyHeap' {
    Context 'a service that keeps orders and leaks sessions' {
        BeforeAll {
            $app = @{ Command = 'python3', '-u', '-c', $script:shop; ReadyLog = 'ready'; MemoryLimit = '256Mi' }
            $script:pod = New-TestPod $script:ns @app
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns -For Heap
            $script:look = $script:session | Get-PyHeap
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'divides the resident memory and counts the objects in one look' {
            $script:look | Should -BeOfType PyDebug.PyHeapReport
            $script:look.CoveragePercent | Should -BeGreaterThan 99
            $script:look.WhyNoCensus | Should -BeNullOrEmpty
            $script:look.HeldMicroseconds | Should -Be 0
            ($script:look.Parts.EndBytes | Measure-Object -Sum).Sum / $script:look.ResidentEndBytes |
                Should -BeGreaterThan 0.99
            ($script:look.Types | Where-Object Type -eq '__main__.Order').Count | Should -Be 20000
        }

        It 'lists the types that were asked for alone' {
            $some = $script:session | Get-PyHeap -Type 'Ord*', '__main__.Session'
            ($some.Types.Name | Sort-Object) -join ',' | Should -Be 'Order,Session'
            $some.TypeCount | Should -BeGreaterThan 20
        }

        It 'says what grows at which rate, and the way that holds it with its own rate' {
            $script:growth = $script:session | Get-PyProcess | Get-PyHeap -DurationSeconds 6
            $leak = $script:growth.Types | Where-Object Type -eq '__main__.Session'
            $leak.Grows | Should -BeIn 'Yes', 'Unsure'
            $leak.CountPerSecond | Should -BeGreaterThan 20
            $leak.CountPerSecond | Should -BeLessThan 300
            ($script:growth.Types | Where-Object Type -eq '__main__.Order').Grows | Should -Be 'No'
            $holder = $script:growth.Holders | Where-Object Type -eq '__main__.Session' | Select-Object -First 1
            $holder.Path | Should -Be 'module __main__.LEAK -> list[*]'
            $holder.Verified | Should -BeTrue
            $holder.ContainerPerSecond | Should -BeGreaterThan 20
            $script:growth | Out-String -Width 120 | Should -Match '__main__\.LEAK -> list\[\*\]  \+\d'
        }

        It 'shows no key and no value, in no property' {
            $held = $script:session | Get-PyHeap -Type Order, Session -Holder
            ($held.Holders | Where-Object Type -eq '__main__.Order').Path |
                Should -Be 'module __main__.ORDERS -> dict[*]'
            foreach ($report in $held, $script:growth) {
                $report | ConvertTo-Json -Depth 6 | Should -Not -Match 'secret-\d|key-\d'
            }
            $keyed = $script:session | Get-PyHeap -Type Order -Holder -IncludeKeys -SampleCount 1
            $keyed.Holders[0].Path | Should -Match "^module __main__\.ORDERS -> dict\['key-\d+'\]$"
        }

        It 'survives CLIXML and JSON, and is compared with what it was' {
            $file = Join-Path $TestDrive 'heap.xml'
            $script:look | Export-Clixml -LiteralPath $file
            $json = $script:growth | ConvertTo-Json -Depth 5 | ConvertFrom-Json
            $rows = Compare-PyHeap (Import-Clixml -LiteralPath $file) $json
            ($rows | Where-Object Name -eq '__main__.Session').Change | Should -Be 'Grown'
            ($rows | Where-Object Name -eq '__main__.Order').Change | Should -Be 'Same'
            $rows[0].Basis | Should -Be 'Bytes'
        }

        It 'makes a picture of who holds what' {
            $file = $script:growth | Export-StackProfile -Path (Join-Path $TestDrive 'held.svg') -PassThru
            Get-Content -Raw -LiteralPath $file | Should -Match 'LEAK'
        }
    }

    It 'works without any privilege, where Get-PyStack does' {
        $security = @{
            runAsNonRoot = $true; runAsUser = 10001; allowPrivilegeEscalation = $false
            capabilities = @{ drop = @('ALL') }; seccompProfile = @{ type = 'RuntimeDefault' }
        }
        $app = @{ Command = 'python3', '-u', '-c', $script:shop; ReadyLog = 'ready'; Security = $security }
        $pod = New-TestPod $script:ns @app
        try {
            $session = Start-PodDebug $pod -Namespace $script:ns -SecurityProfile Restricted
            $stack = Get-Failure -Any { $session | Get-PyStack }
            $heap = Get-Failure -Any { $session | Get-PyHeap }
            if ($stack.First) {
                Get-ErrorId $heap.First | Should -Be (Get-ErrorId $stack.First)
            }
            else {
                ($heap.Output[0].Types | Where-Object Type -eq '__main__.Order').Count | Should -Be 20000
            }
        }
        finally {
            Remove-TestPod $script:ns $pod
        }
    }

    It 'reads the Python in uwsgi, each of its processes' {
        $pod = New-TestPod $script:ns -Image uwsgi -ReadyLog 'spawned uWSGI worker 2'
        try {
            $reports = @(Start-PodDebug $pod -Namespace $script:ns | Get-PyHeap)
            $reports.Count | Should -Be 3
            foreach ($report in $reports) {
                $report.WhyNoCensus | Should -BeNullOrEmpty
                ($report.Types | Where-Object Type -eq 'dict').Count | Should -BeGreaterThan 100
                $report.CoveragePercent | Should -BeGreaterThan 99
            }
        }
        finally {
            Remove-TestPod $script:ns $pod
        }
    }

    It 'says when the limit is reached where files in memory grow and the process does not' {
        # 8 MiB a second into a file in memory: none of it is the process's own.
        $source = @'
import os, time
sink = os.memfd_create("spool")
print("ready", flush=True)
while True:
    os.write(sink, bytes(256 << 10))
    time.sleep(0.03125)
'@
        $spool = New-TestPod $script:ns -Command 'python3', '-c',
            $source -MemoryLimit '224Mi' -ReadyLog 'ready' -Spec @{
            restartPolicy = 'Never'
        }
        try {
            $session = Start-PodDebug $spool -Namespace $script:ns -WarningAction Ignore
            $report = $session | Get-PyHeap -DurationSeconds 5 -WarningAction Ignore
            $asked = [DateTime]::UtcNow
            $session | Stop-PodDebug
            $report.ResidentBytesPerSecond | Should -BeLessThan (0.5 * $report.ContainerBytesPerSecond)
            $report.Advice -join ' ' | Should -Match 'as files in memory'
            $ended = Wait-Until -What 'the container to run out of memory' -Seconds 120 {
                $state = (Get-TestPod $script:ns $spool).status.containerStatuses[0].state
                $state.PSObject.Properties['terminated'] ? $state.terminated : $null
            }
            $ended.reason | Should -Be 'OOMKilled'
            # The report is of its last look; the server says the end in whole seconds.
            $left = ([DateTime]$ended.finishedAt).ToUniversalTime() - $asked
            $report.SecondsToLimit | Should -BeGreaterThan (0.7 * $left.TotalSeconds - 2)
            $report.SecondsToLimit | Should -BeLessThan (1.3 * $left.TotalSeconds + 4)
        }
        finally {
            Remove-TestPod $script:ns $spool
        }
    }

    It 'refuses parameters that do not go together' {
        { [pscustomobject]@{} | Get-PyHeap -Census 5 } | Should -Throw '*-DurationSeconds*'
        { Compare-PyHeap 5 6 } | Should -Throw '*no report of Get-PyHeap*'
    }
}

# What a session and each question take of a pod's memory, as JSON: started by bench.ps1 for a module, in a PowerShell
# of its own, so that two versions of the module can be held against each other in one run.
param(
    [Parameter(Mandatory)] [string] $Module,
    [int] $Runs = 3
)

$env:PYDEBUG_MODULE = $Module
. (Join-Path (Split-Path $PSScriptRoot) 'common.ps1')
. (Join-Path $PSScriptRoot 'room.ps1')

$namespace = New-TestNamespace (New-TestName 'pydebug-room')
$figures = @()
try {
    for ($run = 0; $run -lt $Runs; $run++) {
        $pod = New-RoomPod $namespace 'Burstable' -Limit 512
        foreach ($question in $script:RoomQuestions) {
            if (-not (Get-Command ($question.Name -split '[ ,]')[0] -Module PyDebug -ErrorAction Ignore)) {
                continue
            }
            $isNew = -not $pod.Sessions.ContainsKey($question.Session)
            $session = Start-RoomSession $namespace $pod $question.Session @{}
            $container = Get-RoomContainer (Get-TestPod $namespace $pod.Name) $session.DebugContainer
            if ($isNew) {
                $start = Invoke-Room peak $pod $container
                $figures += @{ Name = "Start-PodDebug, $($question.Session)"; Bytes = $start.peak }
                $figures += @{ Name = "session at rest, $($question.Session)"; Bytes = $start.has }
            }
            Invoke-Room reset $pod $container
            $answer = @(& $question.Ask $session -WarningAction Ignore -ErrorAction Continue 2>$null)
            if ($answer.Count) {
                $figures += @{ Name = $question.Name; Bytes = (Invoke-Room peak $pod $container).peak }
            }
        }
        Remove-TestPod $namespace $pod.Name
    }
}
finally {
    Remove-TestNamespace $namespace
}
ConvertTo-Json -InputObject @($figures) -Compress

# As a runbook runs: a runspace whose host throws whatever is asked of it, and nothing but a server, a token and an
# authority.

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:first = New-TestPod $script:ns -ReadyLog 'listens'
    $script:second = New-TestPod $script:ns -ReadyLog 'listens'

    Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

public sealed class SilentHost : PSHost
{
    public override CultureInfo CurrentCulture => CultureInfo.InvariantCulture;
    public override CultureInfo CurrentUICulture => CultureInfo.InvariantCulture;
    public override Guid InstanceId { get; } = Guid.NewGuid();
    public override string Name => "Runbook";
    public override PSHostUserInterface UI { get; } = new SilentUI();
    public override Version Version => new Version(1, 0);
    public override void EnterNestedPrompt() => throw new NotSupportedException();
    public override void ExitNestedPrompt() => throw new NotSupportedException();
    public override void NotifyBeginApplication() { }
    public override void NotifyEndApplication() { }
    public override void SetShouldExit(int exitCode) { }
}

public sealed class SilentUI : PSHostUserInterface
{
    private static Exception No() => new NotSupportedException("A runbook has nobody to ask and nothing to write on.");
    public override PSHostRawUserInterface RawUI => null;
    public override Dictionary<string, PSObject> Prompt(
        string caption, string message, Collection<FieldDescription> descriptions) => throw No();
    public override int PromptForChoice(
        string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice) => throw No();
    public override PSCredential PromptForCredential(
        string caption, string message, string userName, string targetName) => throw No();
    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName,
        PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options) => throw No();
    public override string ReadLine() => throw No();
    public override SecureString ReadLineAsSecureString() => throw No();
    public override void Write(string value) => throw No();
    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => throw No();
    public override void WriteLine(string value) => throw No();
    public override void WriteErrorLine(string value) => throw No();
    public override void WriteDebugLine(string message) => throw No();
    public override void WriteVerboseLine(string message) => throw No();
    public override void WriteWarningLine(string message) => throw No();
    public override void WriteProgress(long sourceId, ProgressRecord record) => throw No();
}
'@

    function Get-TestToken {
        # The tests' token, or where they have a certificate one of a service account made for this.
        if ($script:Server.Token) {
            return $script:Server.Token
        }
        Invoke-TestApi POST "/api/v1/namespaces/$($script:ns)/serviceaccounts" @{ metadata = @{ name = 'runbook' } } `
            -Allow 409 | Out-Null
        Invoke-TestApi POST '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings' @{
            metadata = @{ name = $script:ns }
            roleRef = @{ apiGroup = 'rbac.authorization.k8s.io'; kind = 'ClusterRole'; name = 'cluster-admin' }
            subjects = @(@{ kind = 'ServiceAccount'; name = 'runbook'; namespace = $script:ns })
        } -Allow 409 | Out-Null
        return (Invoke-TestApi POST "/api/v1/namespaces/$($script:ns)/serviceaccounts/runbook/token" @{
            spec = @{ expirationSeconds = 3600 }
        }).status.token
    }

    function Invoke-Runbook {
        # The script's output, errors, warnings and whether it was ended by an error. $connect has the connection
        # parameters.
        param([string] $Script, [switch] $WithProgress)
        $runspace = [runspacefactory]::CreateRunspace([SilentHost]::new())
        $runspace.Open()
        $shell = [powershell]::Create($runspace)
        try {
            $preferences = $WithProgress ? '' : '$ProgressPreference = "SilentlyContinue"'
            [void]$shell.AddScript(@"
param(`$module, `$server, `$token, `$authority, `$ns, `$first, `$second)
$preferences
Remove-Item Env:KUBECONFIG -ErrorAction Ignore
`$env:HOME = '/nonexistent'
Import-Module `$module
`$connect = @{ Server = `$server; AccessToken = (ConvertTo-SecureString `$token -AsPlainText -Force)
    CertificateAuthorityData = `$authority }
$Script
"@)
            foreach ($argument in (Join-Path $script:ModulePath 'PyDebug.psd1'), "$($script:Server.Address)",
                (Get-TestToken), [Convert]::ToBase64String($script:Server.Authority), $script:ns, $script:first,
                $script:second) {
                [void]$shell.AddArgument($argument)
            }
            $ended = $null
            $output = @()
            $before = $env:KUBECONFIG, $env:HOME
            try {
                $output = @($shell.Invoke())
            }
            catch {
                $ended = $_.Exception.InnerException ?? $_.Exception
            }
            finally {
                $env:KUBECONFIG, $env:HOME = $before
            }
            return [pscustomobject]@{ Output = $output; Errors = @($shell.Streams.Error);
                Warnings = @($shell.Streams.Warning); Ended = $ended }
        }
        finally {
            $shell.Dispose()
            $runspace.Dispose()
        }
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
    if (-not $script:Server.Token) {
        Invoke-TestApi DELETE "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/$($script:ns)" -Allow 404 |
            Out-Null
    }
}

Describe 'In a runbook' {
    It 'goes from a pod''s name to stacks with a token alone' {
        $result = Invoke-Runbook 'Start-PodDebug $first -Namespace $ns @connect | Get-PyStack'
        $result.Ended | Should -BeNullOrEmpty
        $result.Errors | Should -BeNullOrEmpty
        $result.Output | Where-Object Name -eq 'MainThread' | Should -Not -BeNullOrEmpty
    }

    It 'does the other pods where one is not there, and names that one' {
        $result = Invoke-Runbook ('$first, "nobody-here", $second | ForEach-Object { Start-PodDebug $_ -Namespace ' +
            '$ns @connect } | Get-PyStack')
        $result.Ended | Should -BeNullOrEmpty
        $result.Output.PodName | Sort-Object -Unique | Should -Be ($script:first, $script:second | Sort-Object)
        $result.Errors.Count | Should -Be 1
        "$($result.Errors[0])" | Should -Match 'nobody-here'
    }

    It 'ends the job with -ErrorAction Stop' {
        $result =
            Invoke-Runbook '"before"; Start-PodDebug nobody-here -Namespace $ns @connect -ErrorAction Stop; "after"'
        $result.Ended.Message | Should -Match 'nobody-here'
    }

    It 'writes nothing but objects' {
        $result = Invoke-Runbook @'
$s = Start-PodDebug $second -Namespace $ns @connect
$s | Get-PyProcess
Get-PodDebug $second -Namespace $ns @connect
$s | Stop-PodDebug
'@
        $result.Ended | Should -BeNullOrEmpty
        $result.Errors | Should -BeNullOrEmpty
        $result.Output | ForEach-Object { $_.PSObject.TypeNames[0] } |
            Should -Be 'PyDebug.PyProcess', 'PyDebug.PodDebugSession'
    }

    It 'goes on from a session that went through JSON, with the connection given again' {
        $result = Invoke-Runbook ('$json = Start-PodDebug $first -Namespace $ns @connect | ConvertTo-Json -Depth 5; ' +
            '$json | ConvertFrom-Json | Get-PyProcess @connect')
        $result.Errors | Should -BeNullOrEmpty
        $result.Output.Count | Should -Be 1
    }

    It 'shows the token nowhere' {
        $token = Get-TestToken
        $result = Invoke-Runbook ('$s = Start-PodDebug $first -Namespace $ns @connect -Verbose -Debug 4>&1 5>&1; $s; ' +
            '$s | ConvertTo-Json -Depth 5; $s | Format-List * -Force | Out-String')
        "$($result.Output)$($result.Errors)$($result.Warnings)" | Should -Not -Match ([regex]::Escape($token))
    }
}

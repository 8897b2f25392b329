using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Hosting;

namespace PyDebug.Sandbox.Api;

/// <summary>Leaves signals to the program.</summary>
internal sealed class QuietLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

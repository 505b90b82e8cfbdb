<?php
// A small application on Symfony's own kernel: routes, dependency injection, sessions, streamed and binary responses.

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\BinaryFileResponse;
use Symfony\Component\HttpFoundation\Cookie;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\RedirectResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpFoundation\StreamedResponse;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;
use Symfony\Component\HttpKernel\Kernel;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

require_once 'Symfony/Bundle/FrameworkBundle/autoload.php';

final class Application extends Kernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        yield new FrameworkBundle();
    }

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', [
            'secret' => 'of a test',
            'session' => ['handler_id' => null, 'storage_factory_id' => 'session.storage.factory.native'],
            'router' => ['utf8' => true],
            'http_method_override' => false,
            'php_errors' => ['log' => true],
        ]);
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        foreach (['hello' => '/hello/{name}', 'form' => '/form', 'count' => '/count', 'stream' => '/stream',
            'file' => '/file', 'forbidden' => '/forbidden', 'leave' => '/leave', 'told' => '/told'] as $name => $path) {
            $routes->add($name, $path)->controller([$this, $name]);
        }
    }

    public function hello(Request $request, string $name): Response
    {
        $response = new Response("Hello $name by {$request->getMethod()} of {$request->getPathInfo()}\n");
        $response->setEtag(md5($name));
        $response->isNotModified($request);
        return $response;
    }

    public function form(Request $request): JsonResponse
    {
        $file = $request->files->get('file');
        return new JsonResponse([
            'fields' => $request->request->all(),
            'query' => $request->query->all(),
            'file' => $file ? [$file->getClientOriginalName(), $file->getSize(), md5_file($file->getPathname())] : null,
            'address' => $request->getClientIp(),
            'url' => $request->getUri(),
        ]);
    }

    public function count(Request $request): Response
    {
        $session = $request->getSession();
        $session->set('count', $session->get('count', 0) + 1);
        $response = new Response("visit {$session->get('count')}\n");
        $response->headers->setCookie(Cookie::create('seen', 'a b;c'));
        return $response;
    }

    public function stream(): StreamedResponse
    {
        return new StreamedResponse(function () {
            for ($line = 1; $line <= 1000; $line++) {
                echo "line $line\n";
                flush();
            }
        }, 200, ['Content-Type' => 'text/plain']);
    }

    public function file(): BinaryFileResponse
    {
        return new BinaryFileResponse(__FILE__, 200, ['Content-Type' => 'text/plain']);
    }

    public function forbidden(): Response
    {
        throw new AccessDeniedHttpException('not for you');
    }

    public function leave(): RedirectResponse
    {
        return new RedirectResponse('/hello/again', 303);
    }

    /** What happened after an earlier response had been sent. */
    public function told(): Response
    {
        return new Response((string) @file_get_contents($this->getProjectDir() . '/var/told'));
    }
}

$kernel = new Application('prod', false);
$request = Request::createFromGlobals();
$response = $kernel->handle($request);
$response->send();
// The client has its response by now, and nothing of this reaches it.
echo 'too late';
if ($request->getPathInfo() === '/hello/late') {
    file_put_contents($kernel->getProjectDir() . '/var/told', 'told after the response');
}
$kernel->terminate($request, $response);
